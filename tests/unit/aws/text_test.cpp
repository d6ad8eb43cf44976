#include "aws/text.h"
#include "aws/ini.h"
#include "aws/json_read.h"
#include "aws/process.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

namespace weir::aws {
namespace {

using namespace std::chrono_literals;

TEST(Json, WhatIsNoneOrTooDeepIsDiscarded) {
    EXPECT_EQ(string_of(parse_json(R"({"a":"b"})"), "a"), "b");
    EXPECT_TRUE(parse_json("nonsense").is_discarded());
    EXPECT_TRUE(parse_json("").is_discarded());
    const std::string deep = std::string(100, '[') + std::string(100, ']');
    EXPECT_TRUE(parse_json(deep).is_discarded()) << "whole, and no document of AWS";
    EXPECT_TRUE(parse_json(std::string(8 << 20, '[')).is_discarded());
}

TEST(Json, AMemberIsReadFromWhateverWasAnswered) {
    for (const char* text : {"nonsense", "[1]", "7", "{}", R"({"a":1})"}) {
        EXPECT_EQ(string_of(parse_json(text), "a"), "") << text;
        EXPECT_EQ(text_of(parse_json(text), "a"), "") << text;
    }
    const std::string token(5000, 'x');
    const nlohmann::json object{{"a", token}};
    EXPECT_EQ(string_of(object, "a"), token);
    EXPECT_EQ(text_of(object, "a"), "") << "longer than a name is";
}

TEST(Timestamp, ReadsWhatServicesAndToolsWrite) {
    const WallTime base = std::chrono::sys_days(std::chrono::year(2026) / 1 / 2) + 3h + 4min + 5s;
    EXPECT_EQ(parse_timestamp("2026-01-02T03:04:05Z"), base);
    EXPECT_EQ(parse_timestamp("2026-01-02T03:04:05.250Z"), base + 250ms);
    EXPECT_EQ(parse_timestamp("2026-01-02T03:04:05.123456789Z"), base + 123ms);
    EXPECT_EQ(parse_timestamp("2026-01-02T05:04:05+02:00"), base);
    EXPECT_EQ(parse_timestamp("2026-01-02T01:34:05-0130"), base);
}

TEST(Timestamp, RefusesTheRest) {
    for (const char* bad :
         {"", "2026", "2026-01-02", "2026-13-02T03:04:05Z", "2026-02-30T03:04:05Z",
          "2026-01-02T24:04:05Z", "2026-01-02T03:04:05", "2026-01-02T03:04:05Zx",
          "2026-01-02T03:04:05.Z", "-026-01-02T03:04:05Z", "20260102T030405Z"}) {
        EXPECT_FALSE(parse_timestamp(bad).has_value()) << bad;
    }
}

TEST(Ini, ReadsProfilesAsTheSdksDo) {
    IniFile file = parse_ini(
        "\xef\xbb\xbf# a comment\r\n"
        "ignored = before any section\r\n"
        "[default]\r\n"
        "Region = us-east-1   # the east\r\n"
        "aws_access_key_id=AKID\r\n"
        "nonsense\n"
        "s3 =\n"
        "    aws_access_key_id = nested\n"
        "\n"
        "[ profile   \"my dev\" ] ; why not\n"
        "  credential_process = tool --a '#1' ; true\n"
        "  region=eu-west-1;x\n"
        "[broken\n"
        "region = nowhere\n"
        "[default]\n"
        "aws_secret_access_key = a=b#c\n");
    const IniSection* plain = config_profile(file, "default");
    ASSERT_NE(plain, nullptr);
    EXPECT_EQ(plain->at("region"), "us-east-1");
    EXPECT_EQ(plain->at("aws_access_key_id"), "AKID");
    EXPECT_EQ(plain->at("aws_secret_access_key"), "a=b#c");
    const IniSection* dev = config_profile(file, "my dev");
    ASSERT_NE(dev, nullptr);
    EXPECT_EQ(dev->at("credential_process"), "tool --a '#1' ; true");
    EXPECT_EQ(dev->at("region"), "eu-west-1;x");
    EXPECT_EQ(config_profile(file, "other"), nullptr);
}

TEST(Ini, TheFullNameOfTheDefaultProfileWins) {
    IniFile file = parse_ini("[default]\nregion=a\n[profile default]\nregion=b\n");
    EXPECT_EQ(config_profile(file, "default")->at("region"), "b");
}

TEST(Command, GivesItsOutput) {
    std::atomic<bool> stop{false};
    EXPECT_EQ(run_command("printf '%s' \"$((1+1))\"; echo noise >&2", 10s, stop).value(), "2");
}

TEST(Command, SaysWhyItFailed) {
    std::atomic<bool> stop{false};
    auto failed = run_command("echo 'log in first' >&2; exit 3", 10s, stop);
    ASSERT_FALSE(failed.has_value());
    EXPECT_EQ(failed.error().message, "exit status 3: log in first");
    auto killed = run_command("kill -9 $$", 10s, stop);
    ASSERT_FALSE(killed.has_value());
    EXPECT_EQ(killed.error().message, "killed by signal 9");
}

TEST(Command, IsBoundedInTimeAndOutput) {
    std::atomic<bool> stop{false};
    auto begin = std::chrono::steady_clock::now();
    auto slow = run_command("sleep 100 & sleep 100", 200ms, stop);
    ASSERT_FALSE(slow.has_value());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
    auto endless = run_command("yes", 20s, stop);
    ASSERT_FALSE(endless.has_value());
    EXPECT_EQ(endless.error().message, "wrote more than 64 KiB");
    auto loud = run_command("head -c 1000000 /dev/zero >&2; echo fine", 20s, stop);
    ASSERT_TRUE(loud.has_value());
    EXPECT_EQ(*loud, "fine\n");
}

TEST(Command, IsNotHeldUpByAChildThatKeepsThePipe) {
    std::atomic<bool> stop{false};
    auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(run_command("sleep 15 & echo done", 30s, stop).value(), "done\n");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
}

TEST(Command, EndsWhenToldToStop) {
    std::atomic<bool> stop{true};
    auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(run_command("sleep 100", 60s, stop).has_value());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 20s);
}

}  // namespace
}  // namespace weir::aws
