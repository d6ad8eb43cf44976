// weir::Client before the stand-in for Bedrock: real sockets, threads and quotas.
#include "net/loop.h"
#include "simulator/simulator.h"
#include "unit/given.h"

#include <weir/client.h>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

namespace weir {
namespace {

using namespace std::chrono_literals;
using AnswerEnd = Client::AnswerEnd;

std::string prompt(int max_tokens) {
    return R"({"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"maxTokens":)" +
           std::to_string(max_tokens) + "}}";
}

bool eventually(const std::function<bool()>& condition) {
    const auto patience = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < patience) {
        if (condition()) {
            return true;
        }
        std::this_thread::sleep_for(2ms);
    }
    return condition();
}

/// A stand-in of one Region, and Clients before it.
class Embedded : public ::testing::Test {
protected:
    void open(double tokens_per_second = 50'000, Duration first = 1ms) {
        simulator::Settings settings;
        settings.regions = {{"us-east-1", "127.0.0.1:0"}};
        settings.seed = 5;
        simulator::ModelSettings model;
        model.time_to_first_token = first;
        model.tokens_per_second = tokens_per_second;
        settings.models.emplace("*", model);
        sim_ = std::make_unique<simulator::Simulator>(std::vector{&loop_}, settings);
        const auto started = sim_->start();
        ASSERT_TRUE(started) << started.error().message;
        loop_.start();
    }
    void TearDown() override {
        if (sim_) {
            sim_->stop();
            loop_.stop();
            loop_.join();
            sim_.reset();
        }
    }

    Config config() const {
        Config config;
        config.regions["us-east-1"].endpoint =
            "http://127.0.0.1:" + std::to_string(sim_->port("us-east-1"));
        config.default_region = "us-east-1";
        config.credentials.source = CredentialsSource::static_keys;
        config.credentials.access_key_id = "AKIDEXAMPLE";
        config.credentials.secret_access_key = "example";
        return config;
    }
    static Client client_of(Config config) {
        auto made = Client::create(std::move(config));
        EXPECT_TRUE(made) << made.error().message;
        return std::move(*made);
    }
    simulator::Truth truth() const {
        const auto all = sim_->truth();
        const auto region = all.find("us-east-1");
        if (region == all.end() || !region->second.contains(kSonnet)) {
            return {};
        }
        return region->second.at(kSonnet);
    }

    net::Loop loop_{0};
    std::unique_ptr<simulator::Simulator> sim_;
};

QuotaConfig quota(std::optional<std::uint64_t> requests,
                  std::optional<std::uint64_t> tokens = std::nullopt) {
    QuotaConfig quota;
    quota.models = {kSonnet};
    quota.requests_per_minute = requests;
    quota.tokens_per_minute = tokens;
    return quota;
}

TEST_F(Embedded, Converses) {
    open();
    Client client = client_of(config());
    const auto response = client.converse(kSonnet, prompt(20));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_TRUE(response->ok()) << response->body;
    EXPECT_NE(response->body.find("\"assistant\""), std::string::npos);
    EXPECT_EQ(response->region, "us-east-1");
    EXPECT_EQ(response->attempts, 1U);
    ASSERT_TRUE(response->usage);
    EXPECT_GT(response->usage->output, 0U);
    EXPECT_EQ(client.status().in_flight, 0U);
    EXPECT_NE(client.metrics().find("weir_requests_total"), std::string::npos);
}

TEST_F(Embedded, StreamsEventByEvent) {
    open();
    Client client = client_of(config());
    std::vector<std::string> types;
    const auto response =
        client.converse_stream(kSonnet, prompt(20), [&](const Client::Event& event) {
            EXPECT_FALSE(event.exception);
            EXPECT_EQ(event.payload.front(), '{');
            types.emplace_back(event.type);
            return true;
        });
    ASSERT_TRUE(response && response->ok());
    ASSERT_GE(types.size(), 4U);
    EXPECT_EQ(types.front(), "messageStart");
    EXPECT_EQ(types.back(), "metadata");
    EXPECT_TRUE(response->usage);
}

TEST_F(Embedded, SpeaksTheOtherPathsToo) {
    open();
    Client client = client_of(config());
    Client::Request request;
    request.path = "/anthropic/v1/messages";
    request.body =
        std::string(R"({"model":")") + kSonnet +
        R"(","max_tokens":20,"stream":true,"messages":[{"role":"user","content":"Hi"}]})";
    request.fields = {{"anthropic-version", "2023-06-01"}};
    std::string got;
    const auto response = client.stream(request, [&](std::string_view piece) {
        got += piece;
        return true;
    });
    ASSERT_TRUE(response);
    EXPECT_TRUE(response->ok()) << response->body;
    EXPECT_NE(got.find("event: message_stop"), std::string::npos);

    const auto wrong = client.events(request, [](const Client::Event&) { return true; });
    EXPECT_FALSE(wrong) << "server-sent events are no event stream";
    EXPECT_EQ(client.status().in_flight, 0U);
}

TEST_F(Embedded, CancelInTheMiddleLeavesNothing) {
    open(100);
    Client client = client_of(config());
    {
        int events = 0;
        const auto response = client.converse_stream(
            kSonnet, prompt(5'000), [&](const Client::Event&) { return ++events < 3; });
        ASSERT_TRUE(response);
        EXPECT_EQ(response->end, AnswerEnd::cancelled);
        EXPECT_EQ(events, 3);
        EXPECT_EQ(client.status().in_flight, 0U);
    }
    {
        const auto one = [](const Client::Event&) -> bool { throw std::runtime_error("mine"); };
        EXPECT_THROW(std::ignore = client.converse_stream(kSonnet, prompt(5'000), one),
                     std::runtime_error);
        EXPECT_EQ(client.status().in_flight, 0U);
    }
    {
        std::stop_source stop;
        const auto response = client.converse_stream(
            kSonnet, prompt(5'000),
            [&](const Client::Event&) {
                stop.request_stop();
                return true;
            },
            stop.get_token());
        ASSERT_TRUE(response);
        EXPECT_EQ(response->end, AnswerEnd::cancelled);
        EXPECT_EQ(client.status().in_flight, 0U);
    }
    EXPECT_TRUE(eventually([&] { return truth().cancelled == 3 && truth().in_flight == 0; }));
}

TEST_F(Embedded, CancelBeforeOrWhileItWaits) {
    open();
    Config with = config();
    with.quotas = {quota(1)};
    Client client = client_of(with);
    std::stop_source before;
    before.request_stop();
    const auto never = client.converse(kSonnet, prompt(20), before.get_token());
    ASSERT_TRUE(never);
    EXPECT_EQ(never->end, AnswerEnd::cancelled);
    EXPECT_EQ(never->status, 499);

    ASSERT_TRUE(client.converse(kSonnet, prompt(20)));
    with.queue.max_wait = 120s;
    with.queue.deadline = 120s;
    ASSERT_TRUE(client.reconfigure(with));
    std::stop_source stop;
    std::jthread other([&] {
        EXPECT_TRUE(eventually([&] { return client.status().waiting_calls == 1; }));
        stop.request_stop();
    });
    const auto waited = client.converse(kSonnet, prompt(20), stop.get_token());
    ASSERT_TRUE(waited);
    EXPECT_EQ(waited->end, AnswerEnd::cancelled) << waited->body;
    EXPECT_EQ(client.status().waiting_calls, 0U);
}

TEST_F(Embedded, WaitsForQuotaAndRefusesWhatCannotFit) {
    open();
    Config with = config();
    with.quota_window = 300ms;
    with.quotas = {quota(2, 10'000)};
    Client client = client_of(with);
    Duration longest{};
    for (int i = 0; i < 5; ++i) {
        const auto response = client.converse(kSonnet, prompt(20));
        ASSERT_TRUE(response);
        EXPECT_TRUE(response->ok()) << response->body;
        longest = std::max(longest, response->queued);
    }
    EXPECT_GT(longest, 0ms);

    const auto never = client.converse(kSonnet, prompt(20'000));
    ASSERT_TRUE(never);
    EXPECT_EQ(never->status, 400);
    EXPECT_EQ(never->error, "ValidationException");
    EXPECT_EQ(never->field("x-amzn-ErrorType"), "ValidationException");
    EXPECT_NE(never->body.find("message"), std::string::npos);
    EXPECT_EQ(never->attempts, 0U);
}

TEST_F(Embedded, ARefusalIsTheGatewaysOwn) {
    open();
    Config with = config();
    with.quotas = {quota(1)};
    Client client = client_of(with);
    ASSERT_TRUE(client.converse(kSonnet, prompt(20)));
    Client::Request request;
    request.model = kSonnet;
    request.body = prompt(20);
    request.deadline = 100ms;
    const auto refused = client.send(request);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 429);
    EXPECT_EQ(refused->error, "ThrottlingException");
    EXPECT_FALSE(refused->reason.empty());
    EXPECT_NE(refused->field("x-amz-retry-after"), "");
    EXPECT_EQ(truth().accepted, 1U);
}

TEST_F(Embedded, ClientsAreKnownByName) {
    open();
    Config with = config();
    ClientConfig few;
    few.name = "few";
    few.key_sha256 = {std::string(64, 'a')};  // of no key: in a process a name is enough
    few.models = {"amazon.*"};
    with.clients = {few};
    Client client = client_of(with);
    Client::Request request;
    request.model = kSonnet;
    request.body = prompt(20);
    request.client = "few";
    const auto refused = client.send(request);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 403);
    request.client = "other";
    EXPECT_TRUE(client.send(request)->ok());
}

TEST_F(Embedded, ManyThreadsAtOnce) {
    open();
    Config with = config();
    with.workers = 2;
    Client client = client_of(with);
    constexpr int kThreads = 16;
    constexpr int kCalls = 20;
    std::atomic<int> good{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < kThreads; ++i) {
            threads.emplace_back([&, i] {
                for (int n = 0; n < kCalls; ++n) {
                    const auto response =
                        (i + n) % 2 == 0
                            ? client.converse(kSonnet, prompt(20))
                            : client.converse_stream(kSonnet, prompt(20),
                                                     [](const Client::Event&) { return true; });
                    good += response && response->ok() ? 1 : 0;
                }
            });
        }
    }
    EXPECT_EQ(good, kThreads * kCalls);
    EXPECT_EQ(client.status().in_flight, 0U);
    EXPECT_TRUE(eventually([&] { return truth().delivered == kThreads * kCalls; }));
}

TEST_F(Embedded, ACallbackMayCall) {
    open();
    Client client = client_of(config());
    bool asked = false;
    const auto response = client.converse_stream(kSonnet, prompt(20), [&](const Client::Event&) {
        if (!std::exchange(asked, true)) {
            EXPECT_TRUE(client.converse(kSonnet, prompt(20))->ok());
        }
        return true;
    });
    EXPECT_TRUE(response && response->ok());
}

TEST_F(Embedded, StopEndsEveryCallWithATypedError) {
    open(100);
    Config with = config();
    with.quotas = {quota(2)};
    Client client = client_of(with);
    std::atomic<int> streaming{0};
    Result<Client::Response> stream;
    bool excepted = false;
    Result<Client::Response> answer;
    Result<Client::Response> waiting;
    {
        std::jthread first([&] {
            stream =
                client.converse_stream(kSonnet, prompt(5'000), [&](const Client::Event& event) {
                    ++streaming;
                    excepted = event.exception;
                    return true;
                });
        });
        std::jthread second([&] { answer = client.converse(kSonnet, prompt(5'000)); });
        ASSERT_TRUE(eventually([&] { return streaming > 1 && client.status().in_flight == 2; }));
        std::jthread third([&] { waiting = client.converse(kSonnet, prompt(5'000)); });
        ASSERT_TRUE(eventually([&] { return client.status().waiting_calls == 1; }));
        client.stop();
    }
    ASSERT_TRUE(stream && answer && waiting);
    EXPECT_EQ(stream->status, 200);
    EXPECT_TRUE(excepted) << "the stream's last event says so";
    EXPECT_EQ(stream->error, "ServiceUnavailableException");
    EXPECT_FALSE(stream->ok());
    for (const auto* one : {&*answer, &*waiting}) {
        EXPECT_EQ(one->status, 503) << one->body;
        EXPECT_EQ(one->error, "ServiceUnavailableException");
    }
    EXPECT_EQ(client.status().in_flight, 0U);
    EXPECT_EQ(client.status().waiting_calls, 0U);
    const auto after = client.converse(kSonnet, prompt(20));
    ASSERT_FALSE(after);
    EXPECT_NE(after.error().message.find("stopped"), std::string::npos);
    client.stop();
    EXPECT_TRUE(eventually([&] { return truth().in_flight == 0; }));
}

TEST_F(Embedded, TheDestructorWaitsForACallbackUnderWay) {
    open();
    auto client = std::make_unique<Client>(client_of(config()));
    std::atomic<bool> inside{false};
    std::atomic<bool> ended{false};
    std::string piece_seen;
    std::jthread caller([&, raw = client.get()] {
        Client::Request request;
        request.model = kSonnet;
        request.operation = "converse-stream";
        request.body = prompt(20);
        std::ignore = raw->stream(request, [&](std::string_view piece) {
            inside = true;
            std::this_thread::sleep_for(50ms);
            piece_seen += piece;  // lent for as long as this takes
            return true;
        });
        ended = true;
    });
    ASSERT_TRUE(eventually([&] { return inside.load(); }));
    client.reset();
    EXPECT_TRUE(eventually([&] { return ended.load(); }));
    EXPECT_FALSE(piece_seen.empty());
}

TEST_F(Embedded, StopLetsCallsFinishWithinItsGrace) {
    open(50'000, 100ms);
    Client client = client_of(config());
    Result<Client::Response> answer;
    {
        std::jthread caller([&] { answer = client.converse(kSonnet, prompt(20)); });
        ASSERT_TRUE(eventually([&] { return client.status().in_flight == 1; }));
        client.stop(Duration::max());
    }
    EXPECT_TRUE(answer && answer->ok());
}

TEST_F(Embedded, ReconfigureTakesTheNewOrKeepsTheOld) {
    open();
    Client client = client_of(config());
    Config wrong = config();
    wrong.quota_share = -1;
    const auto refused = client.reconfigure(wrong);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("quota_share"), std::string::npos);
    EXPECT_TRUE(client.converse(kSonnet, prompt(20))->ok());
    Config next = config();
    next.limits.max_body = 1024;
    ASSERT_TRUE(client.reconfigure(next));
    EXPECT_TRUE(eventually([&] {
        return client.converse(kSonnet, prompt(20) + std::string(2000, ' '))->status == 413;
    }));
}

TEST_F(Embedded, MovesAndIsReplaced) {
    open();
    Client client = client_of(config());
    Client moved = std::move(client);
    EXPECT_TRUE(moved.converse(kSonnet, prompt(20))->ok());
    moved = client_of(config());
    EXPECT_TRUE(moved.converse(kSonnet, prompt(20))->ok());
}

}  // namespace
}  // namespace weir
