// The fault script: when, where, how often.
#include "simulator/faults.h"
#include "simulator/admin.h"

#include <gtest/gtest.h>

namespace weir::simulator {
namespace {

Fault fault(std::string kind, double from, double to, double probability = 1) {
    Fault made;
    made.kind = std::move(kind);
    made.from = from;
    made.to = to;
    made.probability = probability;
    return made;
}

TEST(FaultScript, HoldsFromItsStartToJustBeforeItsEnd) {
    FaultScript script;
    ASSERT_TRUE(script.add(fault("unavailable", 10, 20)));
    Random random(1);
    EXPECT_FALSE(script.draw("r", "m", 9.999, random));
    EXPECT_EQ(script.draw("r", "m", 10, random), FaultKind::unavailable);
    EXPECT_EQ(script.draw("r", "m", 19.999, random), FaultKind::unavailable);
    EXPECT_FALSE(script.draw("r", "m", 20, random));
}

TEST(FaultScript, HitsOnlyItsRegionAndModel) {
    FaultScript script;
    Fault there = fault("internal", 0, 100);
    there.region = "us-east-1";
    there.model = "m";
    ASSERT_TRUE(script.add(there));
    Random random(1);
    EXPECT_TRUE(script.draw("us-east-1", "m", 1, random));
    EXPECT_FALSE(script.draw("us-west-2", "m", 1, random));
    EXPECT_FALSE(script.draw("us-east-1", "other", 1, random));
    EXPECT_FALSE(script.draw("us-east-1", "", 1, random));
}

TEST(FaultScript, FallsAsOftenAsItsProbabilitySays) {
    FaultScript script;
    ASSERT_TRUE(script.add(fault("unavailable", 0, 100, 0.25)));
    Random random(7);
    int hits = 0;
    for (int i = 0; i < 10'000; ++i) {
        hits += script.draw("r", "m", 1, random) ? 1 : 0;
    }
    EXPECT_NEAR(hits, 2'500, 200);
}

TEST(FaultScript, RefusesNonsense) {
    FaultScript script;
    EXPECT_FALSE(script.add(fault("earthquake", 0, 1)));
    EXPECT_FALSE(script.add(fault("reset", 5, 1)));
    EXPECT_FALSE(script.add(fault("reset", 0, 1, 1.5)));
    EXPECT_TRUE(script.list().empty());
}

TEST(FaultScript, EveryKindHasANameAndComesBack) {
    for (int i = 0; i <= static_cast<int>(FaultKind::slow); ++i) {
        const auto kind = static_cast<FaultKind>(i);
        EXPECT_EQ(parse_fault_kind(to_string(kind)), kind);
    }
}

TEST(AdminFaults, TakesAnObjectOrAListAndRelativeTimes) {
    const auto one = read_faults(R"({"kind": "hang", "from": 1, "to": 2, "relative": true})", 100);
    ASSERT_TRUE(one);
    ASSERT_EQ(one->size(), 1U);
    EXPECT_EQ(one->front().from, 101);
    EXPECT_EQ(one->front().to, 102);
    const auto list =
        read_faults(R"([{"kind": "hang"}, {"kind": "reset", "probability": 0.5}])", 5);
    ASSERT_TRUE(list);
    EXPECT_EQ(list->size(), 2U);
    FaultScript script;
    ASSERT_TRUE(script.add(list->front()));
    Random random(1);
    EXPECT_EQ(script.draw("r", "m", 1e9, random), FaultKind::hang) << "no end given: for ever";
}

TEST(AdminFaults, SaysWhatIsWrong) {
    EXPECT_NE(read_faults(R"({"kind": "quake"})", 0).error().message.find("unavailable"),
              std::string::npos);
    EXPECT_NE(read_faults(R"({"kid": "hang"})", 0).error().message.find("kid"), std::string::npos);
    EXPECT_FALSE(read_faults("{", 0));
    EXPECT_FALSE(read_faults("[3]", 0));
}

}  // namespace
}  // namespace weir::simulator
