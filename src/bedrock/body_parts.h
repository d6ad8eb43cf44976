// Parts of a body that depend on its target: the service tier, the guardrail.
#pragma once

#include "bedrock/operation.h"

#include <string>
#include <string_view>

namespace weir::bedrock {

/// The body with this service tier in place of its own; other bytes as they were.
/// Only Converse and the OpenAI paths have it in the body; other bodies come back unchanged.
std::string with_tier(std::string_view body, Operation operation, std::string_view tier);
/// The header of the others.
constexpr std::string_view kTierField = "X-Amzn-Bedrock-Service-Tier";
constexpr bool tier_in_body(Operation op) {
    return op == Operation::converse || op == Operation::converse_stream ||
           op == Operation::chat_completions || op == Operation::responses;
}

/// Body whose guardrailConfig names another guardrail; other bytes as they were.
std::string with_guardrail(std::string_view body, std::string_view guardrail);
constexpr std::string_view kGuardrailField = "X-Amzn-Bedrock-GuardrailIdentifier";

}  // namespace weir::bedrock
