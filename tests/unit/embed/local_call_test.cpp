// A call of this process between its two threads, before scripted upstreams.
#include "embed/local_call.h"

#include "embed/request_head.h"
#include "unit/gateway/relay_world.h"
#include "unit/gateway/requests.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <stop_token>
#include <thread>

namespace weir::embed {
namespace {

using namespace gateway::test;
using namespace std::chrono_literals;
using gateway::test::bytes;
using gateway::test::kStart;
using AnswerEnd = Client::AnswerEnd;

const std::string kUsage =
    event("metadata", R"({"usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}})");

constexpr std::string_view kAnswer =
    R"({"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},)"
    R"("stopReason":"end_turn","usage":{"inputTokens":9,"outputTokens":4,"totalTokens":13}})";

Client::Request asking(std::string operation = "converse") {
    Client::Request request;
    request.model = kModel;
    request.operation = std::move(operation);
    request.body = R"({"messages":[{"role":"user","content":[{"text":"hi"}]}]})";
    return request;
}

Script stream_of(std::deque<Step> body) {
    Script script;
    script.head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n\r\n";
    script.body = std::move(body);
    return script;
}

/// A World whose loop has its thread, as in a Client.
class LocalCalls : public ::testing::Test {
protected:
    void TearDown() override {
        world.loop.stop();
        world.loop.join();
    }

    std::shared_ptr<LocalCall> begin(const Client::Request& request, bool pieces) {
        auto head = request_head(request);
        EXPECT_TRUE(head) << head.error().message;
        auto call = LocalCall::make(world.loop, *head, request.body, pieces);
        EXPECT_TRUE(call) << call.error().message;
        if (!running_) {
            running_ = true;
            world.loop.start();
        }
        world.loop.spawn(gateway::serve_local(*world.worker, *call));
        return *call;
    }
    Client::Response send(const Client::Request& request) {
        return begin(request, false)->follow({});
    }

    World world{two_regions()};

private:
    bool running_ = false;
};

TEST_F(LocalCalls, AnAnswerComesBackWhole) {
    world.scripts["us-east-1"] = {
        whole(kAnswer, "200 OK", "x-amzn-RequestId: upstream-1\r\nx-mine: kept\r\n")};
    const auto response = send(asking());
    EXPECT_TRUE(response.ok());
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.end, AnswerEnd::complete);
    EXPECT_EQ(response.body, kAnswer);
    EXPECT_EQ(response.field("Content-Type"), "application/json");
    EXPECT_EQ(response.field("X-Mine"), "kept");
    EXPECT_EQ(response.field("no-such"), "");
    EXPECT_EQ(response.region, "us-east-1");
    EXPECT_EQ(response.model, kModel);
    EXPECT_EQ(response.attempts, 1U);
    EXPECT_EQ(response.upstream_request_id, "upstream-1");
    EXPECT_EQ(response.request_id, response.field("x-weir-request-id"));
    EXPECT_FALSE(response.degraded);
    ASSERT_TRUE(response.usage);
    EXPECT_EQ(response.usage->input, 9U);
    EXPECT_EQ(response.usage->output, 4U);
    EXPECT_EQ(world.seen.front().body, asking().body);
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, OneTooLargeToHoldComesBackWholeAllTheSame) {
    const std::string part(1 << 20, 'x');
    Script large;
    large.body = {bytes(part), bytes(part)};
    world.scripts["us-east-1"] = {large};
    const auto response = send(asking());
    EXPECT_TRUE(response.ok());
    EXPECT_EQ(response.body.size(), 2 * part.size());
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, OneThatBreaksOffIsCut) {
    Script large;
    large.body = {bytes(std::string(2 << 20, 'x')), error(net::NetError::reset)};
    world.scripts["us-east-1"] = {large};
    const auto response = send(asking());
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.end, AnswerEnd::cut);
    EXPECT_FALSE(response.ok());
    EXPECT_EQ(response.error, "IncompleteBody");
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, TheServicesErrorComesAsItCame) {
    world.scripts["us-east-1"] = {whole(R"({"message":"no such field"})", "400 Bad Request",
                                        "x-amzn-ErrorType: ValidationException\r\n")};
    const auto response = send(asking());
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.end, AnswerEnd::complete);
    EXPECT_EQ(response.error, "ValidationException");
    EXPECT_EQ(response.body, R"({"message":"no such field"})");
    EXPECT_FALSE(response.ok());
    EXPECT_FALSE(response.usage);
}

TEST_F(LocalCalls, AFailedAttemptIsRepeatedUnseen) {
    Script refused;
    refused.connect = net::NetError::connect;
    world.scripts["us-east-1"] = {refused, whole(kAnswer)};
    const auto response = send(asking());
    EXPECT_TRUE(response.ok());
    EXPECT_EQ(response.attempts, 2U);
}

TEST_F(LocalCalls, AStreamComesInPiecesOnTheCallersThread) {
    world.scripts["us-east-1"] = {
        stream_of({bytes(kStart + kDelta), bytes(kDelta), bytes(kStop + kUsage)})};
    const auto request = asking("converse-stream");
    std::string got;
    int pieces = 0;
    const auto response =
        begin(request, true)->follow([&, me = std::this_thread::get_id()](std::string_view piece) {
            EXPECT_EQ(std::this_thread::get_id(), me);
            got += piece;
            ++pieces;
            return true;
        });
    EXPECT_TRUE(response.ok());
    EXPECT_EQ(got, kStart + kDelta + kDelta + kStop + kUsage);
    EXPECT_GE(pieces, 3);
    EXPECT_TRUE(response.body.empty());
    ASSERT_TRUE(response.usage);
    EXPECT_EQ(response.usage->output, 4U);
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, NothingMoreIsReadBeforeThePieceIsTaken) {
    std::atomic<bool> took{false};
    std::atomic<bool> early{false};
    Step second = bytes(kStop + kUsage);
    second.first = [&] { early = !took; };
    world.scripts["us-east-1"] = {stream_of({bytes(kStart + kDelta), second})};
    const auto request = asking("converse-stream");
    const auto response = begin(request, true)->follow([&](std::string_view piece) {
        if (piece.find("contentBlockDelta") != std::string_view::npos) {
            took = true;
        }
        return true;
    });
    EXPECT_TRUE(response.ok());
    EXPECT_FALSE(early);
}

TEST_F(LocalCalls, ARefusedStreamIsNoPiece) {
    world.scripts["us-east-1"] = {whole(R"({"message":"no"})", "403 Forbidden",
                                        "x-amzn-ErrorType: AccessDeniedException\r\n")};
    const auto request = asking("converse-stream");
    const auto response = begin(request, true)->follow([](std::string_view) {
        ADD_FAILURE() << "an error's body is no part of a stream";
        return true;
    });
    EXPECT_EQ(response.status, 403);
    EXPECT_EQ(response.error, "AccessDeniedException");
    EXPECT_EQ(response.body, R"({"message":"no"})");
}

TEST_F(LocalCalls, AStreamThatBreaksEndsWithATypedException) {
    world.scripts["us-east-1"] = {stream_of({bytes(kStart + kDelta), error(net::NetError::reset)})};
    const auto request = asking("converse-stream");
    std::string got;
    const auto response = begin(request, true)->follow([&](std::string_view piece) {
        got += piece;
        return true;
    });
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.end, AnswerEnd::complete);
    EXPECT_EQ(response.error, "ModelStreamErrorException");
    EXPECT_NE(got.find("modelStreamErrorException"), std::string::npos);
    EXPECT_FALSE(response.ok());
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, ACallbackThatWantsNoMoreCancelsTheUpstream) {
    world.scripts["us-east-1"] = {stream_of({bytes(kStart + kDelta), hang()})};
    const auto request = asking("converse-stream");
    int pieces = 0;
    const auto response = begin(request, true)->follow([&](std::string_view) {
        ++pieces;
        return false;
    });
    EXPECT_EQ(response.end, AnswerEnd::cancelled);
    EXPECT_EQ(pieces, 1);
    EXPECT_EQ(world.seen.front().released, 1);
    EXPECT_FALSE(world.seen.front().reusable);
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, ACallbackThatThrowsCancelsAndIsHeard) {
    world.scripts["us-east-1"] = {stream_of({bytes(kStart + kDelta), hang()})};
    const auto request = asking("converse-stream");
    const auto call = begin(request, true);
    EXPECT_THROW(call->follow([](std::string_view) -> bool { throw std::runtime_error("mine"); }),
                 std::runtime_error);
    EXPECT_EQ(world.seen.front().released, 1);
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, CancelEndsACallWhereverItIs) {
    {  // while its answer is awaited
        std::stop_source stop;
        Script silent;
        silent.instead_of_head = hang([&] { stop.request_stop(); });
        world.scripts["us-east-1"] = {silent};
        const auto request = asking();
        const auto call = begin(request, false);
        const std::stop_callback leaving(stop.get_token(), [&] { call->cancel(); });
        const auto response = call->follow({});
        EXPECT_EQ(response.end, AnswerEnd::cancelled);
        EXPECT_EQ(response.status, 499);
        EXPECT_TRUE(world.nothing_held());
    }
    {  // in its stream, from a third thread
        world.scripts["us-east-1"] = {stream_of({bytes(kStart + kDelta), hang()})};
        const auto request = asking("converse-stream");
        const auto call = begin(request, true);
        std::jthread other;
        const auto response = call->follow([&](std::string_view) {
            if (!other.joinable()) {
                other = std::jthread([&] { call->cancel(); });
            }
            return true;
        });
        EXPECT_EQ(response.end, AnswerEnd::cancelled);
        EXPECT_EQ(response.status, 200);
        EXPECT_TRUE(world.nothing_held());
    }
}

TEST_F(LocalCalls, CancelBeforeItBeginsSendsNothing) {
    const auto request = asking();
    auto head = request_head(request);
    auto call = LocalCall::make(world.loop, *head, request.body, false);
    ASSERT_TRUE(call);
    (*call)->cancel();  // the loop hears of it first
    world.loop.spawn(gateway::serve_local(*world.worker, *call));
    while (world.loop.poll() > 0) {
    }
    const auto response = (*call)->follow({});
    EXPECT_EQ(response.end, AnswerEnd::cancelled);
    EXPECT_TRUE(world.seen.empty());
    EXPECT_TRUE(world.nothing_held());
}

TEST_F(LocalCalls, TheDrainsEndIsATypedAnswer) {
    Script silent;
    silent.instead_of_head = hang([this] {
        world.loop.post([this] {
            world.shared.refuse_waiting = true;
            world.worker->end_all();
        });
    });
    world.scripts["us-east-1"] = {silent};
    const auto response = send(asking());
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.error, "ServiceUnavailableException");
    EXPECT_EQ(response.end, AnswerEnd::complete);
    EXPECT_TRUE(world.nothing_held());
}

}  // namespace
}  // namespace weir::embed
