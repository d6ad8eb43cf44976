// Rings of fixed size: what they keep, for how long, and what happens when there is no room.
#include "observe/history.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace weir::observe {
namespace {

constexpr std::array kColumns{Column{"mean"}, Column{"top", Fold::highest}};
constexpr const HistorySpan& kHour = kHistorySpans[0];
constexpr const HistorySpan& kDay = kHistorySpans[1];

float last(const History& history, std::string_view subject, const HistorySpan& span,
           std::size_t column, std::size_t back = 0) {
    const auto series = history.read(subject, span);
    EXPECT_TRUE(series.has_value());
    return series ? series->values[column][span.points - 1 - back] : -1;
}

TEST(History, KeepsAnHourFinelyAndADayCoarsely) {
    History history(kColumns, 4);
    for (std::int64_t t = 0; t < 86'400; t += 5) {
        history.add({{"a", {static_cast<float>(t), static_cast<float>(t)}}}, 1'000'000'000 + t);
    }
    const auto hour = history.read("a", kHour);
    ASSERT_TRUE(hour.has_value());
    EXPECT_EQ(hour->step * static_cast<std::int64_t>(hour->values[0].size()), 3600);
    EXPECT_EQ(hour->end, 1'000'086'395);
    EXPECT_FLOAT_EQ(hour->values[0].back(), 86'395);
    EXPECT_FLOAT_EQ(hour->values[0].front(), 86'395 - 3595);
    const auto day = history.read("a", kDay);
    ASSERT_TRUE(day.has_value());
    EXPECT_EQ(day->step * static_cast<std::int64_t>(day->values[0].size()), 86'400);
    // The clock's 1,000,086,300 begins a step of five minutes: samples 86,300 to 86,395 are in it.
    EXPECT_EQ(day->end, 1'000'086'300);
    EXPECT_NEAR(last(history, "a", kDay, 0), (86'300 + 86'395) / 2.0, 0.5) << "their mean";
    EXPECT_NEAR(last(history, "a", kDay, 0, 1), (86'000 + 86'295) / 2.0, 0.5);
    EXPECT_FLOAT_EQ(last(history, "a", kDay, 1), 86'395) << "the highest of a step";
}

TEST(History, AStepWithoutASampleIsAGap) {
    History history(kColumns, 4);
    history.add({{"a", {1, 1}}}, 1000);
    history.add({}, 1005);
    history.add({{"a", {3, 3}}}, 1010);
    EXPECT_FLOAT_EQ(last(history, "a", kHour, 0), 3);
    EXPECT_TRUE(std::isnan(last(history, "a", kHour, 0, 1)));
    EXPECT_FLOAT_EQ(last(history, "a", kHour, 0, 2), 1);
    history.add({}, 1000 + 3600);
    EXPECT_TRUE(std::isnan(last(history, "a", kHour, 0))) << "not seen any more";
    EXPECT_FLOAT_EQ(last(history, "a", kHour, 0, 718), 3);
    history.add({}, 1000 + 3600 + 7200);
    const auto hour = history.read("a", kHour);
    for (const float value : hour->values[0]) {
        EXPECT_TRUE(std::isnan(value)) << "an hour ago and more";
    }
    EXPECT_FLOAT_EQ(last(history, "a", kDay, 1, 36), 3) << "the day still knows it";
    history.add({{"a", {7, 7}}}, 1000 + 10 * 86'400);
    EXPECT_FLOAT_EQ(last(history, "a", kDay, 0), 7);
    EXPECT_TRUE(std::isnan(last(history, "a", kDay, 0, 287))) << "a jump leaves nothing old";
}

TEST(History, AClockThatGoesBackAddsToTheLatestStep) {
    History history(kColumns, 4);
    history.add({{"a", {2, 2}}}, 5000);
    history.add({{"a", {4, 4}}}, 100);
    EXPECT_FLOAT_EQ(last(history, "a", kHour, 0), 3);
    EXPECT_FLOAT_EQ(last(history, "a", kHour, 1), 4);
}

TEST(History, ValuesThatAreNotKnownDoNotCountInAStep) {
    History history(kColumns, 4);
    const float unknown = std::nanf("");
    history.add({{"a", {unknown, 1}}}, 1000);
    history.add({{"a", {8, unknown}}}, 1001);
    EXPECT_FLOAT_EQ(last(history, "a", kHour, 0), 8);
    EXPECT_FLOAT_EQ(last(history, "a", kHour, 1), 1);
}

TEST(History, RowsAreBoundedAndTheLongestUnseenGoesFirst) {
    History history(kColumns, 2);
    history.add({{"a", {1, 1}}, {"b", {1, 1}}}, 1000);
    history.add({{"a", {1, 1}}, {"b", {1, 1}}, {"c", {1, 1}}}, 1005);
    EXPECT_FALSE(history.read("c", kHour)) << "the others are there at the same moment";
    EXPECT_EQ(history.left_out(), 1);
    history.add({{"b", {1, 1}}, {"c", {1, 1}}}, 1010);
    EXPECT_TRUE(history.read("c", kHour));
    EXPECT_FALSE(history.read("a", kHour));
    EXPECT_TRUE(history.read("b", kHour));
    EXPECT_EQ(history.rows(), 2);
    EXPECT_EQ(history.bytes(), history.most_bytes());
    EXPECT_EQ(history.most_bytes(), 2 * 2 * (720 + 288) * sizeof(float));
}

TEST(History, KnowsItsSpans) {
    EXPECT_EQ(history_span("hour"), &kHour);
    EXPECT_EQ(history_span("day"), &kDay);
    EXPECT_EQ(history_span("week"), nullptr);
}

}  // namespace
}  // namespace weir::observe
