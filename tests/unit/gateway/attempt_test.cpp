// One send against scripted connections: what it comes to, and that the connection is given back.
#include "gateway/attempt.h"

#include "gateway/clock.h"
#include "scripted.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

using namespace test;
using namespace std::chrono_literals;
using End = Attempt::End;
using net::NetError;

struct AttemptTest : ::testing::Test, AttemptParts {
    AttemptTest() {
        times.started = times.sent = now();
        times.deadline = times.started + 55s;
    }

    /// Connect, write, read the head, as far as it goes.
    End go(Attempt& attempt, std::string_view body = {}, bool fresh = false) {
        const auto all = [](Attempt& a, std::string_view sent, bool only_fresh) -> net::Task<End> {
            End end = co_await a.connect(only_fresh);
            if (end == End::done) {
                end = co_await a.write("POST / HTTP/1.1\r\n\r\n", sent);
            }
            if (end == End::done) {
                end = co_await a.read_head();
            }
            co_return end;
        };
        const auto end = run(loop, all(attempt, body, fresh));
        EXPECT_TRUE(end.has_value()) << "it hangs";
        return end.value_or(End::stopped);
    }
    Clocks clocks() const { return {timeouts, times, times.started}; }
};

TEST_F(AttemptTest, AnAnswersHeadOutlivesItsBuffer) {
    Script script;
    script.head =
        "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nX-Two: second\r\nContent-Length: 0\r\n\r\n";
    scripts = {script};
    Attempt attempt(loop, place, "us-east-1", stop, clocks());
    ASSERT_EQ(go(attempt), End::done);
    attempt.release(true);
    EXPECT_EQ(attempt.head().status, 200);
    EXPECT_EQ(*attempt.head().find("x-two"), "second");
    EXPECT_EQ(seen[0].released, 1);
    EXPECT_TRUE(seen[0].reusable);
}

TEST_F(AttemptTest, AHeadWithoutFieldsIsOne) {
    Script script;
    script.head = "HTTP/1.1 204 No Content\r\n\r\n";
    scripts = {script};
    Attempt attempt(loop, place, "us-east-1", stop, clocks());
    ASSERT_EQ(go(attempt), End::done);
    EXPECT_TRUE(attempt.head().fields.empty());
}

/// How a connection ends before an answer, and what that means.
struct Ending {
    const char* name;
    bool reused;
    std::optional<NetError> write;
    std::optional<NetError> read;
    std::size_t body;
    bool any_bytes;
    FailureClass cls;
    Stage stage;
    bool blameless;
    bool fresh_next;
};

TEST_F(AttemptTest, AnEndBeforeTheAnswerIsClassedByWhatMayHaveBeenRead) {
    const Ending rows[] = {
        {"kept, write refused",
         true,
         NetError::closed,
         {},
         10,
         false,
         FailureClass::network,
         Stage::not_sent,
         true,
         true},
        {"kept, closed at once after the write",
         true,
         {},
         NetError::closed,
         10,
         false,
         FailureClass::network,
         Stage::not_sent,
         true,
         true},
        {"kept, closed after a byte came",
         true,
         {},
         NetError::closed,
         10,
         true,
         FailureClass::reset,
         Stage::sent,
         false,
         false},
        {"new, write refused",
         false,
         NetError::reset,
         {},
         10,
         false,
         FailureClass::network,
         Stage::not_sent,
         false,
         false},
        {"new, closed after the write",
         false,
         {},
         NetError::closed,
         10,
         false,
         FailureClass::reset,
         Stage::sent,
         false,
         false},
        {"new, reset after the write",
         false,
         {},
         NetError::reset,
         10,
         false,
         FailureClass::reset,
         Stage::sent,
         false,
         false},
        {"not HTTP",
         false,
         {},
         NetError::protocol,
         10,
         true,
         FailureClass::server,
         Stage::sent,
         false,
         false},
        {"silence",
         false,
         {},
         NetError::timeout,
         10,
         false,
         FailureClass::timeout,
         Stage::sent,
         false,
         false},
        {"write too slow",
         false,
         NetError::timeout,
         {},
         10,
         false,
         FailureClass::network,
         Stage::not_sent,
         false,
         false},
        {"large, reset, and no early answer", false, NetError::reset, NetError::closed, 20'000,
         false, FailureClass::network, Stage::not_sent, false, false},
    };
    for (const Ending& row : rows) {
        SCOPED_TRACE(row.name);
        seen.clear();
        Script script;
        script.reused = row.reused;
        script.write = row.write;
        script.any_bytes = row.any_bytes;
        if (row.read) {
            script.instead_of_head = error(*row.read);
        }
        scripts = {script};
        Attempt attempt(loop, place, "us-east-1", stop, clocks());
        ASSERT_EQ(go(attempt, std::string(row.body, 'x')), End::failed);
        EXPECT_EQ(attempt.failure().cls, row.cls);
        EXPECT_EQ(attempt.failure().stage, row.stage);
        EXPECT_EQ(attempt.failure().blameless, row.blameless);
        EXPECT_EQ(attempt.kept_had_closed(), row.fresh_next);
        EXPECT_EQ(seen[0].released, 1);
        EXPECT_FALSE(seen[0].reusable);
    }
}

TEST_F(AttemptTest, AnEarlyAnswerToALargeBodyIsRead) {
    Script script;
    script.write = NetError::reset;
    script.head = "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n";
    scripts = {script};
    Attempt attempt(loop, place, "us-east-1", stop, clocks());
    ASSERT_EQ(go(attempt, std::string(20'000, 'x')), End::done);
    EXPECT_FALSE(attempt.written());
    EXPECT_EQ(attempt.head().status, 413);
}

TEST_F(AttemptTest, AStatusOfNoProtocolIsAServersFault) {
    Script script;
    script.head = "HTTP/1.1 777 Odd\r\nContent-Length: 0\r\n\r\n";
    scripts = {script};
    Attempt attempt(loop, place, "us-east-1", stop, clocks());
    ASSERT_EQ(go(attempt), End::failed);
    EXPECT_EQ(attempt.failure().cls, FailureClass::server);
}

TEST_F(AttemptTest, AFreshOneUsesNoKeptConnection) {
    Script kept;
    kept.reused = true;
    scripts = {kept, Script()};
    Attempt attempt(loop, place, "us-east-1", stop, clocks());
    // The script's first is idle; asked for a fresh one, the place makes one all the same.
    ASSERT_EQ(go(attempt, {}, true), End::done);
    EXPECT_EQ(seen.size(), 1U);
}

TEST_F(AttemptTest, APlaceThatCannotBeReachedIsNamedWithTheReason) {
    for (const auto& [error, words] :
         {std::pair(NetError::dns, "its name was not resolved"), std::pair(NetError::connect, ""),
          std::pair(NetError::tls, "tls")}) {
        Script script;
        script.connect = error;
        scripts = {script};
        Attempt attempt(loop, place, "us-east-1", stop, clocks());
        ASSERT_EQ(go(attempt), End::failed);
        EXPECT_EQ(attempt.failure().cls, FailureClass::network);
        EXPECT_EQ(attempt.failure().stage, Stage::not_sent);
        EXPECT_TRUE(attempt.unreachable().starts_with("no connection to us-east-1: "));
        EXPECT_NE(attempt.unreachable().find(words), std::string::npos);
        EXPECT_EQ(attempt.failure().message, "weir: " + attempt.unreachable());
    }
}

TEST_F(AttemptTest, SilenceUntilTheCallersOwnDeadlineBlamesNobody) {
    times.asked = true;
    times.deadline = times.started + 5s;
    Script script;
    script.instead_of_head = error(NetError::timeout);
    scripts = {script};
    Attempt attempt(loop, place, "us-east-1", stop, clocks());
    ASSERT_EQ(go(attempt), End::failed);
    EXPECT_TRUE(attempt.failure().blameless);
    EXPECT_EQ(attempt.failure().status, 504);
    EXPECT_TRUE(attempt.clocks().past_deadline());
}

TEST_F(AttemptTest, WhereverItStandsALeavingClientEndsIt) {
    for (const int step : {0, 1, 2}) {
        SCOPED_TRACE(step);
        stop = {};
        seen.clear();
        Script script;
        if (step == 1) {
            script.on_write = [this] { stop.gone = true; };
        }
        if (step == 2) {
            script.instead_of_head = hang();
        }
        scripts = {script};
        {
            Attempt attempt(loop, place, "us-east-1", stop, clocks());
            if (step == 0) {
                stop.drained = true;
                attempt.interrupt();
            }
            if (step == 2) {
                loop.post([&] {
                    stop.gone = true;
                    attempt.interrupt();
                });
            }
            EXPECT_EQ(go(attempt), End::stopped);
        }
        for (const Seen& one : seen) {
            EXPECT_EQ(one.released, 1);
            EXPECT_FALSE(one.reusable);
        }
    }
}

}  // namespace
}  // namespace weir::gateway
