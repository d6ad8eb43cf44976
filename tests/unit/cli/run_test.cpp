// `weir run` without a process: the environment of its command, and the line at its end.

#include "cli/run_command.h"
#include "cli/run_report.h"

#include <gtest/gtest.h>

#include <array>

namespace weir::cli {
namespace {

using Entries = std::vector<std::string>;

TEST(CommandEnvironment, WeirsVariablesReplaceThoseThatAreThere) {
    const std::array<const char*, 4> own{"PATH=/bin", "OPENAI_BASE_URL=https://elsewhere",
                                         "EQUALS=a=b", nullptr};
    EXPECT_EQ(command_environment(own.data(), {{"OPENAI_BASE_URL", "http://h:1"}}),
              (Entries{"EQUALS=a=b", "OPENAI_BASE_URL=http://h:1", "PATH=/bin"}));
}

TEST(CommandEnvironment, AProxyIsToldOfThisMachineAndOnlyThen) {
    const std::array<const char*, 2> none{"NO_PROXY=internal", nullptr};
    EXPECT_EQ(command_environment(none.data(), {}), Entries{"NO_PROXY=internal"});
    const std::array<const char*, 3> proxy{"NO_PROXY=internal", "https_proxy=p", nullptr};
    EXPECT_EQ(command_environment(proxy.data(), {}),
              (Entries{"NO_PROXY=internal", "https_proxy=p"}));  // calls to weir are plain http
    const std::array<const char*, 2> bare{"http_proxy=p", nullptr};
    EXPECT_EQ(command_environment(bare.data(), {}),
              (Entries{"NO_PROXY=127.0.0.1", "http_proxy=p", "no_proxy=127.0.0.1"}));
    const std::array<const char*, 4> all{"ALL_PROXY=p", "no_proxy=*", "NO_PROXY=a", nullptr};
    EXPECT_EQ(command_environment(all.data(), {}),
              (Entries{"ALL_PROXY=p", "NO_PROXY=a,127.0.0.1", "no_proxy=*"}));
}

TEST(RunReport, CountsOverAllModelsAndClients) {
    EXPECT_EQ(run_report("# TYPE weir_requests_total counter\n"
                         "weir_requests_total{model=\"a b\",client=\"x\",outcome=\"ok\"} 8\n"
                         "weir_requests_total{model=\"c\",client=\"x\",outcome=\"ok\"} 1\n"
                         "weir_requests_total{model=\"c\",client=\"x\",outcome=\"throttled\"} 2\n"
                         "weir_queue_seconds_bucket{model=\"c\",le=\"0.05\"} 6\n"
                         "weir_queue_seconds_bucket{model=\"c\",le=\"0.1\"} 7\n"
                         "weir_queue_seconds_sum{model=\"c\"} 12.34\n"
                         "weir_queue_seconds_count{model=\"c\"} 11\n"
                         "weir_rescued_total{model=\"c\",client=\"x\"} 3\n"
                         "weir_fallbacks_total{from_region=\"r\"} 1\n"),
              "weir: 11 requests (9 ok, 2 throttled), 4 waited 12.3 s in all, 3 refusals avoided, "
              "1 failover");
}

TEST(RunReport, WithoutARequestItSaysWhereToLook) {
    EXPECT_NE(run_report("").find("weir env"), std::string::npos);
    EXPECT_NE(run_report("garbage\n{\n\n=\" \n").find("no request"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
