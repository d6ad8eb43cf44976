// What one thread of the gateway owns: its pools, its parsers, and the calls that are under way on
// it.
#pragma once

#include "bedrock/answer.h"
#include "bedrock/request.h"
#include "codec/sigv4.h"
#include "gateway/engine_gate.h"
#include "gateway/observe_gate.h"
#include "gateway/response_memory.h"
#include "gateway/snapshot.h"
#include "net/buffer_shares.h"
#include "net/loop.h"
#include "net/upstream.h"
#include "observe/access_log.h"
#include "observe/metrics.h"

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::gateway {

class Exchange;

/// What the workers share. Outlives them.
struct Shared {
    EngineGate* gate = nullptr;
    ObserveGate* shadow = nullptr;
    observe::Metrics* metrics = nullptr;
    observe::LineWriter* access_log = nullptr;  // null: none is written
    RegionDirectory* regions = nullptr;
    LogSink log;
    std::string instance;                 // this gateway's name in Via
    std::uint64_t conversation_seed = 0;  // one for all workers: they share what is remembered
    ResponseMemory responses;
    net::BufferShares shares{std::random_device{}()};
    std::atomic<std::uint64_t> buffered{0};  // bytes of messages held, over all workers
    std::atomic<bool> ready{true};
    std::atomic<bool> refuse_waiting{false};  // the drain's time is over: nothing waits or begins
};

/// The texts of one request. They go from one to the next, so that most find their memory there.
struct Texts {
    std::string body;
    std::string upstream_head;  // request head as sent
    std::string head_bytes;     // of the answer's head
    codec::Head head;           // views into head_bytes
    std::string fields;         // of the answer, for the client
    std::string answer_body;
    std::string request_id;
    std::string upstream_request_id;
    std::string target_region;
    std::string target_model;
    std::string access_line;

    /// Empties them; what is large gives its memory back.
    void clear();
};

/// Used on its loop's thread only.
class Worker {
public:
    Worker(net::Loop& loop, Shared& shared, std::shared_ptr<const Snapshot> snapshot,
           std::uint64_t seed);
    ~Worker();

    net::Loop& loop;
    Shared& shared;
    std::shared_ptr<const Snapshot> snapshot;
    bedrock::RequestReader requests;
    bedrock::AnswerReader answers;
    codec::Signer signer{"bedrock"};
    codec::Signer mantle_signer{"bedrock-mantle"};
    // Of clients that sign, whose keys do not push out ours.
    codec::Signer verifier{"bedrock"};
    codec::Signer mantle_verifier{"bedrock-mantle"};

    /// The declared Region of that name; where none are declared, any of AWS's. Null: neither.
    /// Valid as long as the exchange that asks.
    Region* region(std::string_view name);
    net::Pool& pool(Region& region, Service service);

    /// A reload: requests that arrive from now on follow `next`, and so do new connections.
    /// Requests under way keep the configuration that they began with.
    void take(std::shared_ptr<const Snapshot> next);

    /// Calls are found by slot, never by pointer: word for one that has ended reaches nobody.
    CallId enter(Exchange& exchange);
    void leave(CallId id);
    Exchange* find(CallId id);
    /// drain_end() of every call under way.
    void end_all();
    /// settle_whole() of this call's exchange by the end of the turn.
    void settle_soon(CallId id);

    /// Into the log, at most once in ten seconds a Region: an outage is one thing to say.
    void complain(const Region& region, const std::string& why);

    std::unique_ptr<Texts> take_texts();
    void give_back(std::unique_ptr<Texts> texts);

    /// 26 characters, unique for all practical purposes.
    void new_request_id(std::string& id);

private:
    struct Slot {
        Exchange* exchange = nullptr;
        std::uint64_t generation = 0;
    };
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    std::vector<CallId> unsettled_;
    std::vector<std::unique_ptr<Texts>> texts_;
    /// A Region that this worker has been to.
    struct Reached {
        std::shared_ptr<Region> region;
        std::array<std::unique_ptr<net::Pool>, kServices> pools;
        std::optional<Instant> complained;
    };
    struct Undeclared {
        std::shared_ptr<Region> region;
        std::uint64_t used = 0;  // the larger, the later
    };

    Region* undeclared(std::string_view name);
    Region* reach(const std::shared_ptr<Region>& region);
    bool make_room();
    bool in_use(const Region& region) const;
    void sweep();

    std::unordered_map<const Region*, Reached> reached_;
    std::map<std::string, Undeclared, std::less<>> undeclared_;
    std::uint64_t uses_ = 0;
    bool stale_ = false;  // reached_ may hold Regions that are no longer configured
    Instant swept_{};
    std::mt19937_64 random_;
};

}  // namespace weir::gateway
