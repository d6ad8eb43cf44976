#include "shared/state_log.h"

#include <gtest/gtest.h>

namespace weir::shared {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class StateLogTest : public testing::Test {
protected:
    std::string line() {
        const auto next = log.next(health, now);
        return next ? next->text : "";
    }

    Instant now{seconds(1000)};
    Health health{now, 7};
    StateLog log;
};

TEST_F(StateLogTest, OneLineEachWay) {
    health.answered(now, false);
    EXPECT_EQ(line(), "is up");
    EXPECT_EQ(line(), "");
    health.failed(now, {StoreError::timeout, "no answer", false});
    EXPECT_EQ(line(), "is down: no answer");
    now += seconds(5);
    health.probe_failed(now, {StoreError::timeout, "no answer", false});
    EXPECT_EQ(line(), "");
    health.answered(now, true);
    EXPECT_EQ(line(), "is up again after 5 s");
    EXPECT_EQ(line(), "");
}

TEST_F(StateLogTest, AnotherReasonIsToldAsWell) {
    health.probe_failed(now, {StoreError::connection, "no connection", false});
    EXPECT_EQ(line(), "is down: no connection");
    now += seconds(2);
    health.probe_failed(now, {StoreError::auth, "AUTH refused", false});
    EXPECT_EQ(line(), "is down: AUTH refused");
}

// A full server: every probe succeeds, and the call after it fails.
TEST_F(StateLogTest, GoingUpAndDownSaysOneLineInAll) {
    health.answered(now, true);
    EXPECT_EQ(line(), "is up");
    int lines = 0;
    for (int i = 0; i < 100; ++i) {
        health.failed(now, {StoreError::memory, "OOM", false});
        lines += line().empty() ? 0 : 1;
        now = health.next_probe();
        health.answered(now, false);
        lines += line().empty() ? 0 : 1;
        now += milliseconds(5);
    }
    EXPECT_EQ(lines, 1);
}

}  // namespace
}  // namespace weir::shared
