// Parts of a body that belong to the place it goes to: its service tier, its guardrail.
#pragma once

#include "bedrock/operation.h"

#include <string>
#include <string_view>

namespace weir::bedrock {

/// Body that asks for this service tier, whatever it asked for before; other bytes as they were.
/// Converse and the OpenAI paths alone say it in their bodies: others come back unchanged.
std::string with_tier(std::string_view body, Operation operation, std::string_view tier);
/// Where the others say it.
constexpr std::string_view kTierField = "X-Amzn-Bedrock-Service-Tier";
constexpr bool tier_in_body(Operation op) {
    return op == Operation::converse || op == Operation::converse_stream ||
           op == Operation::chat_completions || op == Operation::responses;
}

/// Body whose guardrailConfig names another guardrail; other bytes as they were.
std::string with_guardrail(std::string_view body, std::string_view guardrail);
constexpr std::string_view kGuardrailField = "X-Amzn-Bedrock-GuardrailIdentifier";

}  // namespace weir::bedrock
