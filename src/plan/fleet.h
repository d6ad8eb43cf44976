// The gateways of a plan: one engine, or many that share the books of their quotas.
#pragma once

#include "plan/book_model.h"
#include "plan/scenario.h"

#include <weir/engine.h>

#include <cstdint>
#include <deque>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir::plan {

/// Wakes each engine when it is due, and carries what engines and books say to each other, which
/// takes time. Books that are cut off answer nobody: an engine is told so after 50 ms, as a gateway
/// tells it.
class Fleet {
public:
    Fleet(const Scenario& scenario, Instant start);

    std::size_t size() const { return engines_.size(); }
    Engine& engine(std::size_t instance) { return engines_[instance]; }
    /// Where a call of this ordinal and client arrives.
    std::size_t instance_of(std::uint64_t ordinal, std::uint32_t client) const;
    /// The engine was asked or told something.
    void touched(std::size_t instance);
    /// When work() has something to do; Instant::max(): never.
    Instant next() const;
    /// Does what is due. Returns an engine that is to be advanced; size(): none is.
    std::size_t work(Instant now);

    /// Sends what the engine has to tell the books.
    void exchange(std::size_t instance, Instant now);

    void cut_off(bool cut) { cut_off_ = cut; }
    std::uint64_t exchanges() const { return exchanges_; }

private:
    struct Message {
        Instant at;
        std::uint64_t order;
        std::size_t instance;
        bool back;  ///< on its way to the instance
        bool lost;
        BookExchange asked;
        BookAnswer answer;
    };
    struct Later {
        bool operator()(const Message* a, const Message* b) const {
            return a->at != b->at ? a->at > b->at : a->order > b->order;
        }
    };

    void send(Message message);
    void deliver(Message& message, Instant now);

    Instant start_;
    Duration latency_;
    std::uint64_t seed_;
    bool by_client_;
    std::vector<Engine> engines_;
    std::vector<double> shares_;  // of the calls, summed up
    std::vector<Instant> wakes_;
    std::set<std::pair<Instant, std::size_t>> order_;
    std::map<std::string, BookModel> books_;
    std::priority_queue<Message*, std::vector<Message*>, Later> messages_;
    std::deque<Message> storage_;
    std::vector<Message*> spare_;
    std::uint64_t sent_ = 0;
    std::uint64_t exchanges_ = 0;
    bool cut_off_ = false;
};

}  // namespace weir::plan
