// True peaks from an access log.
#include "cli/log_peaks.h"

#include <gtest/gtest.h>

#include <sstream>

namespace weir::cli {
namespace {

constexpr std::int64_t kNoon = 1'795'953'600;  // 2026-11-29T12:00:00Z

std::string line(const std::string& time, const std::string& more) {
    return R"({"ts":"2026-11-29T)" + time +
           R"(Z","client":"a","model":"m.x","target_region":"us-east-1","target_model":"m.x",)" +
           more + "}\n";
}

LogPeaks peaks_of(const std::string& text) {
    std::istringstream log(text);
    return log_peaks(log, Config{}, kNoon - 3600, kNoon + 3600);
}

TEST(LogPeaks, CountsAnySixtySecondsFromWhenCallsWereSent) {
    // Sent at 11:59:58.9, 12:00:30 and 12:00:56: within one minute, over two of the clock's.
    const auto found =
        peaks_of(line("12:00:00.900", R"("total_ms":2000,"input":10,"output":1)") +
                 line("12:00:31.000", R"("total_ms":1000,"queued_ms":0,"input":10)") +
                 line("12:00:57.000", R"("total_ms":3000,"queued_ms":2000,"input":10)") +
                 line("12:02:30.000", R"("total_ms":0,"input":25)"));
    ASSERT_EQ(found.clients.size(), 1u);
    const ClientPeaks& a = found.clients[0];
    EXPECT_EQ(a.requests.value, 3);
    EXPECT_EQ(a.requests.at, kNoon - 2);
    EXPECT_EQ(a.tokens.value, 31);
    EXPECT_EQ(a.calls, 4u);
}

TEST(LogPeaks, RefusedCallsAreRequestsWithoutTokens) {
    const auto found =
        peaks_of(line("12:00:00.000", R"("total_ms":0,"input":null,"outcome":"throttled")") +
                 line("12:00:01.000", R"("total_ms":0,"input":5,"outcome":"ok")"));
    EXPECT_EQ(found.clients.at(0).throttled, 1u);
    EXPECT_EQ(found.clients.at(0).throttled_most.at, kNoon);
    EXPECT_EQ(found.clients.at(0).requests.value, 2);
    EXPECT_EQ(found.clients.at(0).tokens.value, 5);
}

TEST(LogPeaks, OddLinesAndOtherTimesAreLeftOut) {
    const auto found =
        peaks_of("{\n\n[]\n{}\n\xff\xfe\n" + line("14:00:00.000", R"("total_ms":0)") +
                 line("12:00:00.000", R"("total_ms":-5,"input":-1,"output":1e300)"));
    EXPECT_EQ(found.lines, 6u);
    EXPECT_EQ(found.unread, 4u);
    ASSERT_EQ(found.clients.size(), 1u);
    EXPECT_EQ(found.clients[0].calls, 1u);
}

TEST(LogPeaks, ManyClientsShareOneRow) {
    std::string text;
    for (int i = 0; i < 6000; ++i) {
        text += R"({"ts":"2026-11-29T12:00:00Z","client":")" + std::to_string(i) +
                R"(","model":"m.x","total_ms":0})" + "\n";
    }
    const auto found = peaks_of(text);
    EXPECT_EQ(found.clients.size(), 5001u);
}

}  // namespace
}  // namespace weir::cli
