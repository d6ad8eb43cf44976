// Who listens, how much waits for them, and how they end.
#include "gateway/live_listeners.h"
#include "gateway/live_feed.h"
#include "gateway/query.h"
#include "requests.h"

#include <gtest/gtest.h>

#include <deque>

namespace weir::gateway {
namespace {

using namespace test;

/// A client that takes nothing while it is `stuck`.
class SlowClient final : public net::Downstream {
public:
    explicit SlowClient(net::Loop& loop) : client_(loop, get("/events")), parked_(loop) {}
    const codec::Head& head() const override { return client_.head(); }
    net::Loop& loop() override { return client_.loop(); }
    std::string_view peer() const override { return client_.peer(); }
    bool secure() const override { return false; }
    int http_version() const override { return 11; }
    net::Task<net::NetResult<std::string_view>> read_body() override { return client_.read_body(); }
    net::Task<net::NetResult<void>> send(int status, std::string_view fields,
                                         std::string_view body) override {
        return client_.send(status, fields, body);
    }
    net::Task<net::NetResult<void>> begin(int status, std::string_view fields,
                                          std::optional<std::uint64_t> length) override {
        return client_.begin(status, fields, length);
    }
    net::Task<net::NetResult<void>> write(std::string_view content) override {
        if (stuck) {
            co_await parked_.wait();
        }
        if (client_.aborted) {
            co_return std::unexpected(net_failure(net::NetError::closed));
        }
        co_return co_await client_.write(content);
    }
    net::Task<net::NetResult<void>> flush() override { return client_.flush(); }
    net::Task<net::NetResult<void>> end() override { return client_.end(); }
    void abort() override {
        client_.abort();
        parked_.resume_now();  // as a socket that is shut may do
    }
    bool answered() const override { return client_.answered(); }
    void watch(Gone gone, void* context) override { client_.watch(gone, context); }
    void unwatch() override { client_.unwatch(); }

    void take() {
        stuck = false;
        parked_.resume();
    }
    ScriptedClient& seen() { return client_; }

    bool stuck = false;

private:
    ScriptedClient client_;
    net::Parked parked_;
};

struct Audience {
    SlowClient& join() {
        SlowClient& client = clients.emplace_back(loop);
        loop.spawn(listeners.serve(client));
        turn();
        return client;
    }
    void publish(const std::string& text) {
        listeners.publish(std::make_shared<const std::string>(text));
        turn();
    }
    void turn() {
        while (loop.poll() > 0) {
        }
    }

    net::Loop loop{0};
    std::deque<SlowClient> clients;
    int joined = 0;
    LiveListeners listeners{[this] { ++joined; }};
};

TEST(LiveListeners, EachGetsEachFrameUntilItLeaves) {
    Audience audience;
    audience.publish("{}");
    SlowClient& one = audience.join();
    SlowClient& two = audience.join();
    EXPECT_EQ(audience.joined, 2);
    EXPECT_EQ(audience.listeners.count(), 2);
    EXPECT_EQ(one.seen().status, 200);
    EXPECT_TRUE(one.seen().flushed);
    EXPECT_NE(one.seen().fields.find("Content-Type: text/event-stream\r\n"), std::string::npos);
    audience.publish(R"({"a":1})");
    EXPECT_EQ(one.seen().body, "data: {\"a\":1}\n\n");
    one.seen().leave();
    audience.turn();
    EXPECT_EQ(audience.listeners.count(), 1);
    audience.publish("{}");
    EXPECT_EQ(one.seen().body, "data: {\"a\":1}\n\n");
    EXPECT_EQ(two.seen().body, "data: {\"a\":1}\n\ndata: {}\n\n");
    two.seen().fails = net::NetError::reset;
    audience.publish("{}");
    EXPECT_EQ(audience.listeners.count(), 0) << "a write failed";
}

TEST(LiveListeners, ASlowOneGetsTheNewestFrameAndIsCutOffInTheEnd) {
    Audience audience;
    SlowClient& slow = audience.join();
    SlowClient& slower = audience.join();
    SlowClient& good = audience.join();
    slow.stuck = slower.stuck = true;
    for (int i = 0; i < 4; ++i) {
        audience.publish(std::to_string(i));
    }
    slow.take();
    audience.turn();
    EXPECT_EQ(slow.seen().body, "data: 0\n\ndata: 3\n\n") << "what lies between is left out";
    for (unsigned i = 4; i < LiveListeners::kMostMissed; ++i) {
        audience.publish(std::to_string(i));
    }
    EXPECT_FALSE(slower.seen().aborted);
    audience.publish("last");
    EXPECT_TRUE(slower.seen().aborted);
    EXPECT_EQ(audience.listeners.count(), 2);
    EXPECT_FALSE(slow.seen().aborted);
    EXPECT_TRUE(good.seen().body.ends_with("data: last\n\n"));
}

TEST(LiveListeners, AreBoundedAndEndInOrder) {
    Audience audience;
    for (std::size_t i = 0; i < LiveListeners::kMost; ++i) {
        EXPECT_FALSE(audience.listeners.full());
        audience.join();
    }
    EXPECT_TRUE(audience.listeners.full());
    audience.clients.front().seen().leave();
    audience.turn();
    EXPECT_FALSE(audience.listeners.full());
    audience.listeners.end();
    audience.turn();
    EXPECT_EQ(audience.listeners.count(), 0);
    EXPECT_TRUE(audience.listeners.full()) << "nobody is served after the end";
    EXPECT_TRUE(audience.clients.back().seen().ended);
}

TEST(QueryValues, AreDecodedOrRefused) {
    EXPECT_TRUE(query_values("/history")->empty());
    EXPECT_TRUE(query_values("/history?")->empty());
    const auto values = query_values("/history?kind=target&name=default%2Fus-east-1%2Fm&");
    ASSERT_TRUE(values.has_value());
    EXPECT_EQ(values->at("kind"), "target");
    EXPECT_EQ(values->at("name"), "default/us-east-1/m");
    EXPECT_FALSE(query_values("/history?kind"));
    EXPECT_FALSE(query_values("/history?a=1&b"));
}

}  // namespace
}  // namespace weir::gateway
