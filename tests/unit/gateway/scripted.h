// Both ends of a request as scripts, so that nothing needs a socket.
#pragma once

#include "codec/eventstream.h"
#include "gateway/patience.h"
#include "gateway/stop.h"
#include "net/server.h"
#include "net/upstream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::gateway::test {

inline net::NetFailure net_failure(net::NetError error) {
    net::NetFailure failure;
    failure.error = error;
    return failure;
}

/// A message of an event stream.
inline std::string event(std::string_view type, std::string_view payload,
                         std::string_view kind = "event", std::string_view name = ":event-type") {
    const std::array<codec::EventHeader, 2> headers{codec::EventHeader{":message-type", kind},
                                                    codec::EventHeader{name, type}};
    std::string out;
    codec::append_event(out, headers, payload);
    return out;
}

/// Runs a task on a loop that no thread runs; nullopt: it waits for something that does not come.
template <class T>
std::optional<T> run(net::Loop& loop, net::Task<T> task) {
    std::optional<T> result;
    const auto keep = [](net::Task<T> from, std::optional<T>& to) -> net::Task<void> {
        to.emplace(co_await std::move(from));
    };
    loop.spawn(keep(std::move(task), result));
    while (loop.poll() > 0) {
    }
    return result;
}

/// One thing that a server does when it is read from or written to.
struct Step {
    enum class Kind { bytes, end, error, hang };
    Kind kind = Kind::end;
    std::string bytes;
    net::NetError error = net::NetError::closed;
    std::function<void()> first;  // run before it
};
inline Step bytes(std::string text) {
    Step step;
    step.kind = Step::Kind::bytes;
    step.bytes = std::move(text);
    return step;
}
inline Step end_of_body() {
    return Step();
}
inline Step error(net::NetError what) {
    Step step;
    step.kind = Step::Kind::error;
    step.error = what;
    return step;
}
/// Nothing comes until somebody interrupts. `first`: what happens meanwhile.
inline Step hang(std::function<void()> first = {}) {
    Step step;
    step.kind = Step::Kind::hang;
    step.first = std::move(first);
    return step;
}

/// What one connection does in one exchange.
struct Script {
    bool reused = false;
    bool any_bytes = false;
    std::function<void()> on_connect;
    std::optional<net::NetError> connect;  // it cannot be had
    std::optional<net::NetError> write;    // the request is not taken
    std::function<void()> on_write;
    std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    std::optional<Step> instead_of_head;
    std::deque<Step> body;
};

/// What became of it.
struct Seen {
    std::string head;
    std::string body;
    int released = 0;
    bool reusable = false;
    int interrupts = 0;
};

class ScriptedUpstream final : public net::Upstream {
public:
    ScriptedUpstream(net::Loop& loop, Script script, Seen& seen)
        : parked_(loop), script_(std::move(script)), seen_(seen) {}

    net::Task<net::NetResult<void>> write(std::string_view head, std::string_view body) override {
        seen_.head = head;
        seen_.body = body;
        if (script_.on_write) {
            script_.on_write();
        }
        if (script_.write) {
            co_return std::unexpected(net_failure(*script_.write));
        }
        co_return net::NetResult<void>();
    }
    net::Task<net::NetResult<const codec::Head*>> read_head() override {
        if (script_.instead_of_head) {
            const Step step = *script_.instead_of_head;
            const auto done = co_await perform(step);
            co_return std::unexpected(done ? net_failure(net::NetError::closed) : done.error());
        }
        codec::HeadReader reader(codec::HeadReader::Side::response);
        const auto read = reader.read(script_.head, head_);
        EXPECT_TRUE(read && *read) << script_.head;
        co_return &head_;
    }
    net::Task<net::NetResult<std::string_view>> read_body() override {
        if (script_.body.empty()) {
            ended_ = true;
            co_return std::string_view();
        }
        const Step step = script_.body.front();
        script_.body.pop_front();
        const auto done = co_await perform(step);
        ended_ = done && script_.body.empty();
        if (!done) {
            co_return std::unexpected(done.error());
        }
        co_return std::string_view(given_);
    }
    bool body_ended() const override { return ended_; }
    bool reused() const override { return script_.reused; }
    bool any_bytes_received() const override { return script_.any_bytes; }
    void set_deadline(Duration from_now) override { deadline = from_now; }
    void clear_deadline() override { deadline.reset(); }
    void rearm() override { interrupted_ = false; }
    void interrupt() override {
        ++seen_.interrupts;
        interrupted_ = true;
        if (parked_.waiting()) {
            parked_.resume();
        }
    }

    std::optional<Duration> deadline;

private:
    net::Task<net::NetResult<void>> perform(const Step& step) {
        given_.clear();
        if (step.first) {
            step.first();
        }
        if (step.kind == Step::Kind::hang) {
            if (!interrupted_) {
                co_await parked_.wait();
            }
            co_return std::unexpected(net_failure(net::NetError::interrupted));
        }
        if (step.kind == Step::Kind::error) {
            co_return std::unexpected(net_failure(step.error));
        }
        given_ = step.bytes;
        co_return net::NetResult<void>();
    }

    net::Parked parked_;
    Script script_;
    Seen& seen_;
    codec::Head head_;
    std::string given_;
    bool ended_ = false;
    bool interrupted_ = false;
};

/// Gives out one script after the other; the last again and again.
class ScriptedPlace final : public net::Upstreams {
public:
    ScriptedPlace(net::Loop& loop, std::deque<Script>& scripts, std::deque<Seen>& seen)
        : loop_(loop), scripts_(scripts), seen_(seen) {}

    std::unique_ptr<net::Upstream> take_idle() override {
        return !scripts_.empty() && scripts_.front().reused ? next() : nullptr;
    }
    net::Task<net::NetResult<std::unique_ptr<net::Upstream>>> connect(
        Interrupt& interrupt) override {
        if (interrupt.raised) {
            co_return std::unexpected(net_failure(net::NetError::interrupted));
        }
        if (scripts_.empty()) {
            ADD_FAILURE() << "one attempt more than the script has";
            co_return std::unexpected(net_failure(net::NetError::connect));
        }
        if (scripts_.front().on_connect) {
            scripts_.front().on_connect();
        }
        if (const auto refused = scripts_.front().connect) {
            scripts_.pop_front();
            co_return std::unexpected(net_failure(*refused));
        }
        co_return next();
    }
    void release(std::unique_ptr<net::Upstream> connection, bool reusable) override {
        const auto mine =
            std::ranges::find(given_, connection.get(), &std::pair<net::Upstream*, Seen*>::first);
        ASSERT_NE(mine, given_.end()) << "given back twice, or not one of ours";
        ++mine->second->released;
        mine->second->reusable = reusable;
        given_.erase(mine);
    }
    void renew(const net::PoolSettings& /*settings*/) override {}

private:
    std::unique_ptr<net::Upstream> next() {
        seen_.emplace_back();
        auto made =
            std::make_unique<ScriptedUpstream>(loop_, std::move(scripts_.front()), seen_.back());
        scripts_.pop_front();
        given_.emplace_back(made.get(), &seen_.back());
        return made;
    }

    net::Loop& loop_;
    std::deque<Script>& scripts_;
    std::deque<Seen>& seen_;
    std::vector<std::pair<net::Upstream*, Seen*>> given_;
};

/// A client: one request, and what it got.
class ScriptedClient final : public net::Downstream {
public:
    /// `text`: the request's head and body as HTTP/1.1 has them.
    ScriptedClient(net::Loop& loop, std::string text) : loop_(loop), text_(std::move(text)) {
        codec::HeadReader reader(codec::HeadReader::Side::request);
        const auto read = reader.read(text_, head_);
        EXPECT_TRUE(read && *read) << text_;
        body_ = std::string_view(text_).substr(read && *read ? **read : 0);
    }

    const codec::Head& head() const override { return head_; }
    net::Loop& loop() override { return loop_; }
    std::string_view peer() const override { return "192.0.2.1:4711"; }
    bool secure() const override { return false; }
    int http_version() const override { return 11; }
    net::Task<net::NetResult<std::string_view>> read_body() override {
        if (on_read) {
            on_read();
        }
        if (fails_reading) {
            co_return std::unexpected(net_failure(net::NetError::closed));
        }
        co_return std::exchange(body_, std::string_view());
    }
    net::Task<net::NetResult<void>> send(int status_sent, std::string_view fields_sent,
                                         std::string_view body_sent) override {
        if (on_send) {
            on_send();
        }
        status = status_sent;
        fields = fields_sent;
        answered_ = ended = true;
        co_return take(body_sent);
    }
    net::Task<net::NetResult<void>> begin(int status_sent, std::string_view fields_sent,
                                          std::optional<std::uint64_t> /*length*/) override {
        if (fails_at_head) {
            co_return std::unexpected(net_failure(net::NetError::reset));
        }
        status = status_sent;
        fields = fields_sent;
        answered_ = true;
        co_return net::NetResult<void>();
    }
    net::Task<net::NetResult<void>> write(std::string_view content) override {
        co_return take(content);
    }
    net::Task<net::NetResult<void>> flush() override {
        flushed = true;
        co_return take({});
    }
    net::Task<net::NetResult<void>> end() override {
        ended = true;
        co_return take({});
    }
    void abort() override { aborted = true; }
    bool answered() const override { return answered_; }
    void watch(Gone gone, void* context) override {
        gone_ = gone;
        context_ = context;
    }
    void unwatch() override { gone_ = nullptr; }

    void leave() {
        if (const Gone gone = std::exchange(gone_, nullptr)) {
            gone(context_);
        }
    }

    int status = 0;
    std::string fields;
    std::string body;
    bool flushed = false;
    bool ended = false;
    bool aborted = false;
    bool fails_reading = false;
    bool fails_at_head = false;          // no long answer can be begun
    std::function<void()> on_read;       // run before each piece of the body
    std::function<void()> on_send;       // run before a whole answer is taken
    std::optional<net::NetError> fails;  // nothing more is taken

private:
    net::NetResult<void> take(std::string_view content) {
        if (fails) {
            return std::unexpected(net_failure(*fails));
        }
        body += content;
        return {};
    }

    net::Loop& loop_;
    std::string text_;
    codec::Head head_;
    std::string_view body_;
    bool answered_ = false;
    Gone gone_ = nullptr;
    void* context_ = nullptr;
};

/// What an attempt is made with: a place whose connections follow `scripts`, one each.
struct AttemptParts {
    TimeoutsConfig timeouts;
    AttemptTimes times;
    net::Loop loop{0};
    Stop stop;
    std::deque<Script> scripts;
    std::deque<Seen> seen;
    ScriptedPlace place{loop, scripts, seen};
};

}  // namespace weir::gateway::test
