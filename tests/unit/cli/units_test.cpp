#include "cli/config_file.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace weir::cli {
namespace {

using namespace std::chrono_literals;

TEST(Units, DurationsAreANumberAndAUnit) {
    EXPECT_EQ(parse_duration("250ms"), Duration(250ms));
    EXPECT_EQ(parse_duration("2s"), Duration(2s));
    EXPECT_EQ(parse_duration("5m"), Duration(5min));
    EXPECT_EQ(parse_duration("1h"), Duration(1h));
    EXPECT_EQ(parse_duration("1.5s"), Duration(1500ms));
    EXPECT_EQ(parse_duration("0s"), Duration(0));
    EXPECT_EQ(parse_duration("0.000000001s"), Duration(1));
}

TEST(Units, WhatIsNoDurationSaysWhatIs) {
    for (const char* text : {"", "5", "s", "-5s", "5 parsecs", "5S", "1e3s", "1.s", ".5s", "1..5s",
                             "99999999999999999999s", "9000h", "2s ", "1m30s"}) {
        const auto result = parse_duration(text);
        ASSERT_FALSE(result.has_value()) << text;
        EXPECT_NE(result.error().message.find("ms"), std::string::npos) << result.error().message;
    }
    EXPECT_NE(parse_duration("55").error().message.find("needs a unit"), std::string::npos);
}

TEST(Units, SizesAreANumberAndABinaryUnit) {
    EXPECT_EQ(parse_size("512B"), 512U);
    EXPECT_EQ(parse_size("64KiB"), 65536U);
    EXPECT_EQ(parse_size("32MiB"), 32U << 20);
    EXPECT_EQ(parse_size("1.5GiB"), 3ULL << 29);
    for (const char* text : {"", "5", "MiB", "5MB", "5kib", "-1B", "99999999999GiB", "1TiB"})
        EXPECT_FALSE(parse_size(text).has_value()) << text;
}

TEST(Units, AreWrittenAsPeopleWriteThem) {
    EXPECT_EQ(format_duration(55s), "55s");
    EXPECT_EQ(format_duration(300s), "300s");
    EXPECT_EQ(format_duration(1h), "1h");
    EXPECT_EQ(format_duration(50ms), "50ms");
    EXPECT_EQ(format_duration(1500ms), "1500ms");
    EXPECT_EQ(format_duration(0s), "0s");
    EXPECT_EQ(format_size(32ULL << 20), "32MiB");
    EXPECT_EQ(format_size(1025), "1025B");
    EXPECT_EQ(format_size(0), "0B");
}

TEST(Units, WhatIsWrittenReadsBack) {
    EXPECT_TRUE(rc::check("durations", [] {
        const Duration value(*rc::gen::inRange<std::int64_t>(0, 30'000'000'000'000'000));
        RC_ASSERT((parse_duration(format_duration(value)) == value));
    }));
    EXPECT_TRUE(rc::check("sizes", [] {
        const auto value = *rc::gen::inRange<std::uint64_t>(0, 1ULL << 50);
        RC_ASSERT((parse_size(format_size(value)) == value));
    }));
}

}  // namespace
}  // namespace weir::cli
