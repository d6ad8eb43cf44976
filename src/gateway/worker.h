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
#include "net/loop.h"
#include "net/upstream.h"
#include "observe/access_log.h"
#include "observe/metrics.h"

#include <atomic>
#include <memory>
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
    std::uint64_t conversation_seed = 0;  // one for all workers: they share what is remembered
    ResponseMemory responses;
    std::atomic<std::uint64_t> buffered{0};  // bytes of request bodies held, over all workers
    std::atomic<bool> ready{true};
    std::atomic<bool> refuse_waiting{false};  // the drain's time is over: no more waiting
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

    /// The declared Region of that name; where none are declared, any that looks like one. Null:
    /// neither.
    Region* region(std::string_view name);
    net::Pool& pool(Region& region, bool control);

    /// Calls are found by slot, never by pointer: word for one that has ended reaches nobody.
    CallId enter(Exchange& exchange);
    void leave(CallId id);
    Exchange* find(CallId id);
    void wake_all();

    /// 26 characters, unique for all practical purposes.
    std::string new_request_id();

private:
    struct Slot {
        Exchange* exchange = nullptr;
        std::uint64_t generation = 0;
    };
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> free_;
    struct Pools {
        std::unique_ptr<net::Pool> runtime;
        std::unique_ptr<net::Pool> control;
    };
    std::unordered_map<const Region*, Pools> pools_;
    std::map<std::string, Region*, std::less<>> undeclared_;
    std::mt19937_64 random_;
};

}  // namespace weir::gateway
