#include "shared/failure.h"

#include <gtest/gtest.h>

namespace weir::shared {
namespace {

TEST(StoreFailure, IsNamedByTheFirstWordsOfTheError) {
    const std::pair<std::string_view, std::string_view> named[] = {
        {"NOAUTH Authentication required.", "auth"},
        {"WRONGPASS invalid username-password pair or user is disabled.", "auth"},
        {"NOPERM User weir has no permissions to run the 'eval' command", "permission"},
        {"READONLY You can't write against a read only replica.", "read_only"},
        {"LOADING Redis is loading the dataset in memory", "loading"},
        {"OOM command not allowed when used memory > 'maxmemory'.", "memory"},
        {"MASTERDOWN Link with MASTER is down", "master_down"},
        {"CLUSTERDOWN The cluster is down", "cluster_down"},
        {"ERR max number of clients reached", "clients"},
        {"BUSY Redis is busy running a script.", "busy"},
        {"MISCONF Redis is configured to save RDB snapshots", "unsafe"},
        {"NOREPLICAS Not enough good replicas to write.", "unsafe"},
        {"MOVED 1 127.0.0.1:1", "redirect"},
        {"TRYAGAIN Multiple keys request during rehashing of slot", "try_again"},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", "wrong_type"},
        {"ERR user_script:1: attempt to index a nil value", "script"},
        {"", "script"},
    };
    for (const auto& [error, name] : named) {
        EXPECT_EQ(to_string(failure_of(error).error), name) << error;
        EXPECT_EQ(failure_of(error).text, error);
    }
    EXPECT_EQ(to_string(StoreError::timeout), "timeout");
    EXPECT_EQ(to_string(StoreError::stopped), "stopped");
}

TEST(StoreFailure, OneKeysTroubleIsNotTheServers) {
    EXPECT_FALSE(concerns_server(StoreError::wrong_type));
    EXPECT_FALSE(concerns_server(StoreError::try_again));
    EXPECT_FALSE(concerns_server(StoreError::script));
    EXPECT_TRUE(concerns_server(StoreError::memory));
    EXPECT_TRUE(concerns_server(StoreError::read_only));
    EXPECT_TRUE(needs_new_connection(StoreError::read_only));
    EXPECT_FALSE(needs_new_connection(StoreError::loading));
}

TEST(StoreFailure, TextIsFitForALog) {
    EXPECT_EQ(printable("a\nb\x1b[0m\xff"), "a?b?[0m?");
    EXPECT_EQ(printable(std::string(1000, 'x')).size(), 200U);
}

}  // namespace
}  // namespace weir::shared
