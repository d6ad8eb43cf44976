// What becomes of one call: offered, waiting, sent, perhaps again, ended. Without I/O, so that
// every order of events can be tried by hand: tests/unit/gateway/call_flow_test.cpp.
#pragma once

#include <weir/types.h>

#include <cstdint>
#include <optional>

namespace weir::gateway {

/// Who decides on a call: the engine, its shadow (`mode: observe`), or nobody (what weir does not
/// limit). A grant ends by settle(), report() or cancel(); what comes for a call that has ended is
/// ignored.
class Decider {
public:
    virtual ~Decider() = default;

    virtual Decision offer(const Call& call) = 0;
    /// Why the call waits that was told to last; null: nobody can say.
    virtual const Standing* standing() const { return nullptr; }
    virtual void sent() = 0;
    virtual void began() = 0;
    virtual Decision report(const Failure& failure) = 0;
    virtual void settle(const Usage& usage) = 0;
    virtual void cancel(const std::optional<Usage>& so_far) = 0;
};

/// Promises: each grant ends exactly once, whatever happens, its own destruction included; nothing
/// is sent again after began(); keys are fetched anew once.
///
/// `wait` is answered by decided() or stopped(), `send` by failed(), complete(), broken() or
/// stopped(), `refresh` by refreshed() or stopped().
class CallFlow {
public:
    enum class Action : std::uint8_t {
        wait,     // until the engine says
        send,     // one attempt, as grant() has it
        refresh,  // the keys were refused: fetch them anew
        answer,   // refusal() is the last word
        done,     // nothing is left to do
    };

    explicit CallFlow(Decider& decider) : decider_(decider) {}
    ~CallFlow();
    CallFlow(const CallFlow&) = delete;
    CallFlow& operator=(const CallFlow&) = delete;

    Action offer(const Call& call);
    /// The engine's word on a call that waited.
    Action decided(const Decision& decision);
    void sent();   // the attempt's last byte is written
    void began();  // its content is with the client, or about to be
    /// The attempt failed, and nothing is with the client that another could not follow.
    Action failed(const Failure& failure);
    Action refreshed();
    /// The answer is there.
    Action complete(const Usage& usage);
    /// It broke off after content.
    Action broken(const Failure& failure);
    /// The client left, or weir itself ends the call.
    Action stopped(const std::optional<Usage>& so_far);

    const Grant& grant() const { return grant_; }
    const Refusal& refusal() const { return refusal_; }

private:
    enum class State : std::uint8_t { idle, waiting, granted, begun, ended };

    Action take(const Decision& decision);
    bool under_way() const { return state_ != State::idle && state_ != State::ended; }

    Decider& decider_;
    State state_ = State::idle;
    bool refreshed_ = false;
    Grant grant_;
    Refusal refusal_;
};

}  // namespace weir::gateway
