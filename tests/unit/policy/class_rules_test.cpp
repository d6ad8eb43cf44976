// The table of failure classes against the enumeration and the pages that describe it.
#include "policy/class_rules.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <utility>

namespace weir::policy {
namespace {

/// As the compiler writes it: `...FailureClass::caller...`, or `...(weir::FailureClass)14...`.
template <FailureClass cls>
std::string_view spelled() {
    return __PRETTY_FUNCTION__;
}

template <std::size_t... I>
void each_is_spelled_as_its_name(std::index_sequence<I...>) {
    const auto check = [](std::string_view text, const ClassRule& rule) {
        const std::string name = "FailureClass::" + std::string(rule.name);
        const std::size_t at = text.find(name);
        ASSERT_NE(at, std::string_view::npos) << rule.name << " in " << text;
        EXPECT_EQ(text.find_first_of(";]", at), at + name.size()) << rule.name << " in " << text;
    };
    (check(spelled<static_cast<FailureClass>(I)>(), kClassRules[I]), ...);
}

TEST(ClassRules, EachClassHasOneUnderItsOwnName) {
    each_is_spelled_as_its_name(std::make_index_sequence<kClassRules.size()>());
    const auto beyond = spelled<static_cast<FailureClass>(kClassRules.size())>();
    EXPECT_NE(beyond.find("FailureClass)"), std::string_view::npos)
        << "a class without a row: " << beyond;
}

std::vector<std::string> lines_of(const char* page) {
    std::ifstream file(std::string(WEIR_SOURCE_DIR "/docs/") + page);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

TEST(ClassRules, ThePageSaysWhatTheBreakerIsTold) {
    const std::map<Verdict, std::string> words{
        {Verdict::nothing, "is not told"},
        {Verdict::alive, "sees a sign of life"},
        {Verdict::success, "sees a success"},
        {Verdict::failure, "counts it"},
        {Verdict::half_failure, "counts half"},
        {Verdict::broke, "counts it, in place of its success"}};
    const auto page = lines_of("how-weir-decides.md");
    for (const ClassRule& rule : kClassRules) {
        bool found = false;
        for (const std::string& line : page) {
            const std::string first = line.substr(0, line.find('|', 1));
            if (line.starts_with("|") &&
                first.find("`" + std::string(rule.name) + "`") != first.npos) {
                found = true;
                EXPECT_TRUE(line.ends_with("| " + words.at(rule.verdict) + " |")) << line;
            }
        }
        EXPECT_TRUE(found) << rule.name << " is not in docs/how-weir-decides.md";
    }
}

TEST(ClassRules, ThePageOfMetricsListsEveryOutcomeAndResult) {
    const auto page = lines_of("operations.md");
    const auto lists = [&](std::string_view metric, std::string_view label, const auto& values) {
        for (const std::string& line : page) {
            if (!line.starts_with("| `" + std::string(metric) + "` |")) {
                continue;
            }
            const std::size_t start = line.find("`" + std::string(label) + "`: ");
            ASSERT_NE(start, std::string::npos) << line;
            std::string list = line.substr(start + label.size() + 4);
            list = ", " + list.substr(0, list.find(" |")) + ",";
            for (const auto& [value, name] : values) {
                EXPECT_NE(list.find(", " + std::string(name) + ","), std::string::npos)
                    << name << " is not in " << list;
            }
            return;
        }
        ADD_FAILURE() << metric << " is not in docs/operations.md";
    };
    lists("weir_requests_total", "outcome", kOutcomes);
    lists("weir_attempts_total", "result", kAttemptResults);
}

}  // namespace
}  // namespace weir::policy
