// A worker between two scripted ends: the gateway without a socket.
#pragma once

#include "gateway/engine_gate.h"
#include "gateway/exchange.h"
#include "gateway/observe_gate.h"
#include "gateway/worker.h"
#include "observe/metrics.h"
#include "scripted.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::gateway::test {

class StaticKeys final : public KeySource {
public:
    std::shared_ptr<const aws::Credentials> get() const override {
        auto keys = std::make_shared<aws::Credentials>();
        keys->access_key_id = "AKIDEXAMPLE";
        keys->secret_access_key = "secret";
        return given ? keys : nullptr;
    }
    void refresh(std::shared_ptr<const aws::Credentials> /*stale*/,
                 std::function<void()> done) override {
        ++refreshes;
        hangs ? void(pending = std::move(done)) : done();
    }
    static inline bool given = true;
    static inline int refreshes = 0;
    static inline bool hangs = false;
    static inline std::function<void()> pending;  // of a refresh that hangs
};

/// A worker, its engine, and places that follow scripts.
class World {
public:
    explicit World(Config config) {
        StaticKeys::given = true;
        StaticKeys::hangs = false;
        StaticKeys::refreshes = 0;
        shared.regions = &regions;
        shared.metrics = &metrics;
        shared.log = [this](LogLevel, std::string_view text) { log.append(text).append("\n"); };
        shared.instance = "weir-test";
        shared.reach = [this](const Region& region, Service) {
            return std::make_unique<ScriptedPlace>(loop, scripts[region.name], seen);
        };
        auto made = std::make_shared<Snapshot>(std::move(config));
        for (const auto& [name, region] : made->config.regions) {
            made->regions.emplace(name, *regions.get(name, region, KeysWanted::of(made->config)));
        }
        for (const auto& [name, account] : made->config.accounts) {
            made->accounts.emplace(name, regions.keys(KeysWanted::of(made->config, account)));
        }
        snapshot = made;
        shadow = std::make_unique<ObserveGate>(snapshot->config, 1, loop);
        gate =
            std::make_unique<EngineGate>(snapshot->config, 1, EngineState(),
                                         std::vector<net::Loop*>{&loop}, [this](const Wake& wake) {
                                             if (CallUnderWay* call = worker->calls.find(wake.id)) {
                                                 call->deliver(wake.decision);
                                             }
                                         });
        shared.gate = gate.get();
        shared.shadow = shadow.get();
        worker = std::make_unique<Worker>(loop, shared, snapshot, 1);
    }

    /// Serves it to its end, or until it waits for something that the script does not bring.
    /// False: it waits.
    bool serve(ScriptedClient& client) {
        begin(client);
        return go_on();
    }
    void begin(ScriptedClient& client) {
        served_ = false;
        loop.spawn(serve_one(client));
    }
    bool go_on() {
        while (loop.poll() > 0) {
        }
        return served_;
    }

    /// Nothing is held for anybody.
    bool nothing_held() {
        for (const auto& target : gate->status().targets) {
            if (target.in_flight != 0) {
                return false;
            }
            for (const auto& limit : target.limits) {
                if (limit.reserved != 0) {
                    return false;
                }
            }
        }
        return shared.buffered.load() == 0;
    }

    std::string log;
    std::map<std::string, std::deque<Script>> scripts;  // by Region
    std::deque<Seen> seen;                              // in the order they were made
    observe::Metrics metrics{{}, {}};
    RegionDirectory regions{[](const auto&...) { return std::make_unique<StaticKeys>(); }};
    net::Loop loop{0};
    Shared shared;
    std::shared_ptr<const Snapshot> snapshot;
    std::unique_ptr<ObserveGate> shadow;
    std::unique_ptr<EngineGate> gate;
    std::unique_ptr<Worker> worker;

private:
    net::Task<void> serve_one(ScriptedClient& client) {
        Exchange exchange(*worker, client);
        co_await exchange.run();
        served_ = true;
    }
    bool served_ = false;
};

}  // namespace weir::gateway::test
