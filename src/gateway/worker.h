// What one thread of the gateway owns: its pools, its parsers, and the calls that are under way on
// it.
#pragma once

#include "bedrock/answer.h"
#include "bedrock/request.h"
#include "codec/sigv4.h"
#include "gateway/calls.h"
#include "gateway/client_budgets.h"
#include "gateway/engine_gate.h"
#include "gateway/observe_gate.h"
#include "gateway/other_instances.h"
#include "gateway/response_memory.h"
#include "gateway/snapshot.h"
#include "gateway/spare_texts.h"
#include "net/buffer_shares.h"
#include "net/loop.h"
#include "net/upstream.h"
#include "observe/access_log.h"
#include "observe/client_buckets.h"
#include "observe/ledger.h"
#include "observe/life_ring.h"
#include "observe/metrics.h"
#include "observe/span_queue.h"

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace weir::gateway {

/// What the workers share. Outlives them.
struct Shared {
    EngineGate* gate = nullptr;
    ObserveGate* shadow = nullptr;
    OtherInstances* others = nullptr;  // null: this one counts alone
    ClientBudgets* budgets = nullptr;
    observe::Metrics* metrics = nullptr;
    observe::LedgerBook* ledger = nullptr;      // null: none is kept
    observe::LineWriter* access_log = nullptr;  // null: none is written
    RegionDirectory* regions = nullptr;
    LogSink log;
    /// How the services of a Region are reached; empty: over pools of connections.
    std::function<std::unique_ptr<net::Upstreams>(const Region&, Service)> reach;
    std::string instance;                 // this gateway's name in Via
    std::uint64_t conversation_seed = 0;  // one for all workers: they share what is remembered
    ResponseMemory responses;
    net::BufferShares shares{std::random_device{}()};
    std::atomic<std::uint64_t> buffered{0};  // bytes of messages held, over all workers
    std::atomic<std::int64_t> streams{0};    // open, over all workers
    ExplainConfig explain;                   // what each worker keeps of requests
    observe::SpanQueue spans;                // what goes to OpenTelemetry
    std::atomic<bool> ready{true};
    std::atomic<bool> refuse_waiting{false};  // the drain's time is over: nothing waits or begins
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
    SpareTexts texts;
    codec::Signer signer{"bedrock"};
    codec::Signer mantle_signer{"bedrock-mantle"};
    // Of clients that sign, whose keys do not push out ours.
    codec::Signer verifier{"bedrock"};
    codec::Signer mantle_verifier{"bedrock-mantle"};

    /// The declared Region of that name; where none are declared, any of AWS's. Null: neither.
    /// Valid as long as the call that asks.
    Region* region(std::string_view name);
    net::Upstreams& pool(Region& region, Service service);
    /// Of an account as Target names it. Null: it is not declared.
    std::shared_ptr<KeySource> keys(const Region& region, std::string_view account) const;

    /// A reload: requests that arrive from now on follow `next`, and so do new connections.
    /// Requests under way keep the configuration that they began with.
    void take(std::shared_ptr<const Snapshot> next);

    Calls calls;                                  // under way here
    observe::Lives lives;                         // of requests that have ended
    observe::ClientBuckets eventful_lives;        // of each client
    observe::ClientBuckets kept_traces{100, 20};  // likewise, whatever the share says
    /// drain_end() of all of them.
    void end_all();
    /// One has ended.
    void leave(CallId id);

    /// Into the log, at most once in ten seconds a Region: an outage is one thing to say.
    void complain(const Region& region, const std::string& why);

    /// 26 characters, unique for all practical purposes.
    std::string new_request_id();
    /// 64 bits, for ids that need not be secret.
    std::uint64_t random() { return random_(); }

private:
    /// A Region that this worker has been to.
    struct Reached {
        std::shared_ptr<Region> region;
        std::array<std::unique_ptr<net::Upstreams>, kServices> pools;
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
