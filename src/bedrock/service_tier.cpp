#include "bedrock/service_tier.h"

#include "bedrock/body_parts.h"
#include "bedrock/json_walk.h"

namespace weir::bedrock {

std::optional<Tier> tier_named(std::string_view word) {
    if (word.empty() || word == "default" || word == "auto" || word == "standard_only" ||
        word == "standard") {
        return Tier::standard;
    }
    for (const Tier tier : {Tier::priority, Tier::flex, Tier::reserved}) {
        if (word == to_string(tier)) {
            return tier;
        }
    }
    return std::nullopt;
}

namespace {

class TierReader : JsonWalk {
public:
    std::optional<Tier> read(ondemand::value& value) {
        if (kind(value) != '{') {
            return tier_named(raw_text(value));
        }
        std::optional<Tier> named = Tier::standard;
        each_field(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "type") {
                named = tier_named(raw_text(inner));
            }
        });
        return named;
    }
};

}  // namespace

std::optional<Tier> tier_in(ondemand::value& value) {
    return TierReader().read(value);
}

Tier served_tier(const codec::Head& head) {
    const auto* const word = head.find(kTierField);
    return word == nullptr || word->empty() ? Tier::unset : tier_named(*word).value_or(Tier::unset);
}

}  // namespace weir::bedrock
