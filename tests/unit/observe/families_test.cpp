// The rows of the metrics and what docs/operations.md says of each.
#include "observe/families.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace weir::observe {
namespace {

struct Documented {
    std::string kind;    // the second column
    std::string labels;  // the third
};

/// By metric, the lines `| `weir_x`, `weir_y` | kind | labels |` of the page.
std::map<std::string, Documented> documented() {
    std::map<std::string, Documented> all;
    std::ifstream page(WEIR_SOURCE_DIR "/docs/operations.md");
    for (std::string line; std::getline(page, line);) {
        if (!line.starts_with("| `weir_")) {
            continue;
        }
        const std::size_t first = line.find(" |", 2);
        const std::size_t second = line.find(" |", first + 2);
        std::istringstream names(line.substr(0, first));
        std::string between;
        for (std::string name;
             std::getline(names, between, '`') && std::getline(names, name, '`');) {
            const Documented row{line.substr(first + 3, second - first - 3), line.substr(second)};
            EXPECT_TRUE(all.emplace(name, row).second) << name << " is documented twice";
        }
    }
    return all;
}

TEST(Families, TheDocumentationListsEachWithItsKindAndLabels) {
    const std::map<Family::Type, std::string> kinds{{Family::Type::Counter, "counter"},
                                                    {Family::Type::Gauge, "gauge"},
                                                    {Family::Type::Histogram, "histogram"}};
    const Families families;
    const auto page = documented();
    std::set<std::string> rows;
    for (const Family* family : families.rows.all) {
        const std::string name = family->name();
        EXPECT_TRUE(rows.insert(name).second) << name << " is two metrics";
        const auto row = page.find(name);
        ASSERT_NE(row, page.end()) << name << " is not in docs/operations.md";
        // A gauge that is there for its labels says so by its only value.
        EXPECT_TRUE(row->second.kind.starts_with(kinds.at(family->type())) ||
                    (family->type() == Family::Type::Gauge && row->second.kind == "1"))
            << name << " is a " << kinds.at(family->type()) << ", not " << row->second.kind;
        for (std::string label : family->labels()) {
            label.resize(label.size() - (label.ends_with('?') ? 1 : 0));
            EXPECT_NE(row->second.labels.find("`" + label + "`"), std::string::npos)
                << name << " has the label " << label << ", which the page does not tell";
        }
        if (family->labels().empty()) {
            EXPECT_EQ(row->second.labels.find('`'), std::string::npos) << name;
        }
    }
    for (const auto& [name, row] : page) {
        EXPECT_TRUE(rows.contains(name)) << name << " is documented and no metric";
    }
}

TEST(Families, ARequestsMetricsHaveLabelsOfARequest) {
    const Families families;
    const std::set<std::string_view> known(std::begin(kRequestLabels), std::end(kRequestLabels));
    const auto check = [&](const Family* family) {
        for (const std::string& label : family->labels()) {
            EXPECT_TRUE(known.contains(label)) << family->name() << ": " << label;
        }
    };
    for (const Family* family : families.rows.request_counters) {
        check(family);
    }
    for (const Family* family : families.rows.request_histograms) {
        check(family);
    }
}

TEST(Families, ALabelOfAReadMetricMayBeLeftOut) {
    Families families;
    families.engine.breaker_state.set({"default", "us-east-1", "m", "", ""}, 1);
    families.engine.breaker_state.set({"default", "us-east-1", "m", "mantle", ""}, 0);
    families.engine.breaker_state.set({"default", "us-east-1", "m", "mantle", ""}, 2);
    families.engine.waiting.set({"m", "batch"}, 3);
    families.engine.waiting.set({"m", "batch"}, 4);
    const auto all = families.collect();
    ASSERT_EQ(all.size(), 2U);
    ASSERT_EQ(all[0].metric.size(), 2U);
    EXPECT_EQ(all[0].metric[0].label.size(), 3U);
    EXPECT_EQ(all[0].metric[1].label.size(), 4U);
    EXPECT_EQ(all[0].metric[1].label[3].name, "endpoint");
    EXPECT_EQ(all[0].metric[1].gauge.value, 2) << "the worst of the two";
    EXPECT_EQ(all[1].metric[0].gauge.value, 7) << "both together";
    EXPECT_TRUE(families.collect().empty()) << "what was read is told once";
}

}  // namespace
}  // namespace weir::observe
