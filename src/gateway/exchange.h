// One request from its first byte to its last. Read exchange.cpp from the top: it is the path, and
// names the room where each step is taken.
#pragma once

#include "gateway/attempt.h"
#include "gateway/call_flow.h"
#include "gateway/calls.h"
#include "gateway/record.h"
#include "gateway/relay.h"
#include "gateway/reply.h"
#include "gateway/request.h"
#include "gateway/worker.h"
#include "net/server.h"
#include "net/signal.h"

#include <weir/types.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway {

/// Promises: the request ends exactly once, by a forwarded answer, a typed error or an aborted
/// connection; a grant it was given ends exactly once, the client's leaving included (CallFlow);
/// nothing is retried after content reached the client; one line in the access log and one count in
/// the metrics.
class Exchange final : public CallUnderWay {
public:
    Exchange(Worker& worker, net::Downstream& client);
    ~Exchange() override;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    net::Task<void> run();
    /// How it went; after run().
    const Record& record() const { return record_; }

    void deliver(const Decision& decision) override;
    void drain_end() override;
    void refused_elsewhere(std::optional<PastRefusal> past) override;
    void refreshed() override;
    std::optional<std::string> tell(std::string_view id) const override;
    bool may_use(const Region& region) const override;

private:
    using Action = CallFlow::Action;

    class Current;
    struct Budgeted {
        ClientBudgets::Hold hold;             // none: its client has no budget
        const Call* asked = nullptr;          // null: it is passed on, and its cost is not known
        std::optional<Target> held_for = {};  // the hold is one attempt at this target
    };
    /// A good answer that a lowered max_tokens has cut short, and where it is from.
    struct CutShort {
        KeptAnswer answer;
        Target at;
        Grant grant;
    };

    // exchange.cpp
    net::Task<void> path();
    net::Task<void> list_models();
    net::Task<void> call(Decider& decider, const Call& asked);
    net::Task<Action> turn(CallFlow& flow, const Decider& decider);
    net::Task<void> last_word(const Refusal& refusal);

    // exchange_send.cpp
    net::Task<Action> send(CallFlow& flow);
    net::Task<Action> ask(CallFlow& flow, Region& region, Attempt& attempt);
    std::string place_of(const Region& region) const;
    void check_clock(std::string_view date);
    net::Task<Action> answer(CallFlow& flow, Attempt& attempt);
    net::Task<Action> hand_on_whole(CallFlow& flow, WholeAnswer& whole, std::string_view forwarded,
                                    int status);
    net::Task<Action> hand_on(CallFlow& flow, Relay& relay, int status);
    net::Task<Action> hand_on(CallFlow& flow, Relay& relay, int status, Relay::Turn turn);
    net::Task<Action> refresh_keys(CallFlow& flow);
    Clocks clocks_for(const Grant& grant) const;
    void remember_made(std::string_view id);

    // exchange_budget.cpp
    double expected_cost(const Target& at, std::uint64_t seen = 0) const;
    double may_cost(const Call& asked) const;
    double cost_at_first(const Call& asked);
    double paid_for() const;
    std::optional<ErrorAnswer> within_budget(Call* asked);
    void hold_for(const Target* next);
    void settle_budget();
    void charge(const Target& at, const Usage& usage, const observe::Costs& billed);

    // exchange_others.cpp
    net::Task<void> ask_others(const Call& asked);
    void tell_others(const Refusal& refusal);

    // exchange_stop.cpp
    void put_on_record();
    void remember(const observe::Life& life, Instant end);
    Action failed(CallFlow& flow, const Failure& failure);
    void count(observe::AttemptResult result);
    void note_attempt(const Failure* failure);
    net::Task<Action> stopped(CallFlow& flow, Usage so_far);
    net::Task<Action> end_it(CallFlow& flow, ErrorAnswer error);
    net::Task<void> give_cut_short();
    net::Task<void> fail_internally(std::exception_ptr failure);
    void log_exception(const std::exception_ptr& failure) const noexcept;
    void client_gone();
    void stop_waiting();
    bool stopping() const;  // the drain's time is over: nothing waits or begins

    Worker& worker_;
    net::Downstream& client_;
    CallId id_;
    Request request_;
    Record record_;
    Budgeted budget_;
    Stop stop_;
    Reply reply_;
    net::Signal signal_;  // of whoever waits: for the engine, for keys
    std::optional<Decision> decided_;
    std::optional<std::optional<PastRefusal>> told_;  // by other instances
    Attempt* attempt_ = nullptr;                      // the one under way
    std::shared_ptr<const aws::Credentials> keys_;    // it was signed with
    bool refreshing_ = false;
    bool fresh_ = false;                 // the next attempt uses no kept connection
    bool opened_ = false;                // the message that opens a stream is with the client
    bool past_deadline_ = false;         // which ended the last attempt
    std::optional<KeptAnswer> error_;    // the service's last word
    std::optional<CutShort> cut_short_;  // not with the client
};

}  // namespace weir::gateway
