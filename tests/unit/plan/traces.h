// Traces made for tests, and where those of others are.
#pragma once

#include "plan/scenario.h"
#include "plan/survey.h"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>

namespace weir::plan::test {

inline const std::string kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

inline std::filesystem::path trace_file(const std::string& name) {
    const char* given = std::getenv("WEIR_TRACES");
    return std::filesystem::path(given != nullptr ? given : WEIR_TRACES_DEFAULT) / name;
}

inline OpenTrace open_text(std::string text, Names& names, const TraceOptions& options = {}) {
    return [text = std::move(text), &names, options]() -> Result<TraceReader> {
        return TraceReader(std::make_unique<std::istringstream>(text), options, names);
    };
}

/// One Region and one quota of kModel, burndown 5, told to the engine as the service has it.
inline Scenario scenario_of(std::string text, Names& names,
                            std::optional<std::uint64_t> tokens_per_minute,
                            std::optional<std::uint64_t> requests_per_minute = {}) {
    Scenario s;
    s.open = open_text(std::move(text), names);
    s.names = &names;
    s.home_region = "us-east-1";
    s.default_model = kModel;
    s.config.regions["us-east-1"] = {};
    s.config.default_region = "us-east-1";
    ModelFacts facts;
    facts.output_burndown = 5;
    facts.family = Family::anthropic;
    s.config.models.add("anthropic.claude", facts);
    if (tokens_per_minute || requests_per_minute) {
        QuotaConfig quota;
        quota.models = {kModel};
        quota.tokens_per_minute = tokens_per_minute;
        quota.requests_per_minute = requests_per_minute;
        s.config.quotas.push_back(quota);
    }
    s.service.quotas = s.config.quotas;
    s.service.models = s.config.models;
    s.service.span = survey(s).value().span;
    return s;
}

}  // namespace weir::plan::test

/// Skips the test if the trace is not there, and says so.
#define WEIR_REQUIRE_TRACE(path)        \
    if (!std::filesystem::exists(path)) \
    GTEST_SKIP() << (path) << " is absent"
