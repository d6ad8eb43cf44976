#include "policy/geography.h"

#include <weir/models.h>

#include <algorithm>

namespace weir {

std::string_view to_string(Family family) {
    switch (family) {
        case Family::unknown:
            return "unknown";
        case Family::anthropic:
            return "anthropic";
        case Family::nova:
            return "nova";
        case Family::titan:
            return "titan";
        case Family::llama:
            return "llama";
        case Family::mistral:
            return "mistral";
        case Family::openai:
            return "openai";
        case Family::cohere:
            return "cohere";
    }
    return "unknown";
}

std::string_view strip_arn(std::string_view model_id) {
    if (!model_id.starts_with("arn:")) {
        return model_id;
    }
    // arn:partition:bedrock:region:account:kind/id. The id itself may hold colons ("...-v1:0"), so
    // the last slash decides.
    const auto slash = model_id.rfind('/');
    if (slash == std::string_view::npos || slash + 1 == model_id.size()) {
        return model_id;
    }
    return model_id.substr(slash + 1);
}

ModelName split_model(std::string_view model_id) {
    const std::string_view id = strip_arn(model_id);
    const std::string_view geo = policy::geography_of(id);
    return {geo, geo.empty() ? id : id.substr(geo.size() + 1)};
}

void ModelTable::add(std::string prefix, ModelFacts facts) {
    facts.known = true;
    const auto at = std::ranges::find_if(
        rows_, [&](const Row& row) { return row.prefix.size() <= prefix.size(); });
    // A later row for the same prefix overrides the earlier one: configuration over built-in.
    const auto same = std::ranges::find(rows_, prefix, &Row::prefix);
    if (same != rows_.end()) {
        same->facts = facts;
        return;
    }
    rows_.insert(at, Row{std::move(prefix), facts});
}

ModelFacts ModelTable::facts(std::string_view model_id) const {
    const std::string_view base = split_model(model_id).base;
    for (const Row& row : rows_) {
        // Many begin alike: the last character tells most of them apart.
        const std::size_t size = row.prefix.size();
        if (size == 0 || (size <= base.size() && base[size - 1] == row.prefix.back() &&
                          base.starts_with(row.prefix))) {
            return row.facts;
        }
    }
    ModelFacts guess;
    if (base.starts_with("anthropic.")) {
        guess.family = Family::anthropic;
        guess.output_burndown = 5;
    }
    return guess;
}

}  // namespace weir
