#include "simulator/simulator.h"

#include "net/server.h"
#include "simulator/admin.h"
#include "simulator/exchange.h"

#include <chrono>
#include <random>
#include <thread>
#include <utility>

namespace weir::simulator {
namespace {

std::uint64_t draw_seed() {
    std::random_device device;
    // Short enough to be typed again.
    return 1 + device() % 1'000'000;
}

net::ServerSettings server_settings(const std::string& address) {
    net::ServerSettings settings;
    settings.listen = {address};
    settings.idle_timeout = std::chrono::seconds(350);
    return settings;
}

}  // namespace

struct Simulator::Impl {
    /// What one Region has on one loop: neither is thread-safe.
    struct Place {
        Pauses pauses;
        std::unique_ptr<Verifier> verifier;
    };
    struct Region {
        Region(const std::string& name, const Settings& settings, std::uint64_t seed, Instant start,
               Side side)
            : ledger(name, settings, seed, start, side), catalogue(name, ledger.models()) {
            for (const auto& [account, pair] : settings.accounts) {
                accounts.emplace(
                    pair.access_key_id,
                    std::make_unique<Ledger>(name, settings, seed, start, side, account));
            }
        }
        Ledger ledger;
        AccountLedgers accounts;
        Catalogue catalogue;
        std::map<net::Loop*, Place> places;
        std::unique_ptr<net::Server> server;
    };

    Impl(std::vector<net::Loop*> the_loops, Settings the_settings)
        : loops(std::move(the_loops)), settings(std::move(the_settings)) {
        seed = settings.seed != 0 ? settings.seed : draw_seed();
    }

    void open(const std::string& name, const std::string& address, Side side, Instant start) {
        auto region = std::make_unique<Region>(name, settings, seed, start, side);
        const std::string service = side == Side::mantle ? "bedrock-mantle" : "bedrock";
        std::vector<KeyPair> pairs{{settings.access_key_id, settings.secret_access_key}};
        for (const auto& [account, pair] : settings.accounts) {
            pairs.push_back(pair);
        }
        for (net::Loop* loop : loops) {
            Place& place = region->places[loop];
            if (settings.verify) {
                place.verifier = std::make_unique<Verifier>(name, service, pairs);
            }
        }
        Region* raw = region.get();
        region->server = std::make_unique<net::Server>(
            loops, server_settings(address), [raw](net::Downstream& down) {
                Place& place = raw->places.at(&down.loop());
                return serve(down, Desk{.ledger = &raw->ledger,
                                        .accounts = raw->accounts,
                                        .catalogue = raw->catalogue,
                                        .verifier = place.verifier.get(),
                                        .pauses = place.pauses});
            });
        ledgers.push_back(&raw->ledger);
        for (const auto& [key, ledger] : raw->accounts) {
            ledgers.push_back(ledger.get());
        }
        regions.emplace(raw->ledger.region(), std::move(region));
    }

    std::vector<net::Loop*> loops;
    Settings settings;
    std::uint64_t seed = 0;
    std::map<std::string, std::unique_ptr<Region>> regions;
    std::vector<Ledger*> ledgers;
    std::unique_ptr<net::Server> admin;
};

Simulator::Simulator(std::vector<net::Loop*> loops, Settings settings)
    : impl_(std::make_unique<Impl>(std::move(loops), std::move(settings))) {
    const Instant start = std::chrono::steady_clock::now();
    for (const auto& [name, address] : impl_->settings.regions) {
        impl_->open(name, address, Side::runtime, start);
    }
    for (const auto& [name, address] : impl_->settings.mantle) {
        impl_->open(name, address, Side::mantle, start);
    }
    if (!impl_->settings.admin.empty()) {
        Impl* impl = impl_.get();
        impl_->admin = std::make_unique<net::Server>(
            std::vector{impl_->loops.front()}, server_settings(impl_->settings.admin),
            [impl](net::Downstream& down) { return serve_admin(down, impl->ledgers); });
    }
}

Simulator::~Simulator() = default;

Result<void> Simulator::start() {
    FaultScript trial;
    for (const Fault& fault : impl_->settings.faults) {
        if (!trial.add(fault)) {
            return failure("fault of kind \"" + fault.kind +
                           "\": the kind is unknown or its numbers make no sense; kinds: " +
                           fault_kind_names());
        }
    }
    for (const auto& [name, region] : impl_->regions) {
        if (auto started = region->server->start(); !started) {
            return started;
        }
    }
    return impl_->admin ? impl_->admin->start() : Result<void>();
}

std::uint16_t Simulator::port(const std::string& region) const {
    const auto found = impl_->regions.find(region);
    return found == impl_->regions.end() ? 0 : found->second->server->ports().front();
}

std::uint16_t Simulator::admin_port() const {
    return impl_->admin ? impl_->admin->ports().front() : 0;
}

std::map<std::string, std::map<std::string, Truth>> Simulator::truth() const {
    std::map<std::string, std::map<std::string, Truth>> all;
    for (const Ledger* ledger : impl_->ledgers) {
        all.emplace(ledger->name(), ledger->truth());
    }
    return all;
}

void Simulator::add_fault(const Fault& fault) {
    for (Ledger* ledger : impl_->ledgers) {
        ledger->add_fault(fault);
    }
}

void Simulator::clear_faults() {
    for (Ledger* ledger : impl_->ledgers) {
        ledger->clear_faults();
    }
}

std::uint64_t Simulator::seed() const {
    return impl_->seed;
}

void Simulator::stop() {
    for (const auto& [name, region] : impl_->regions) {
        region->server->drain();
        for (auto& [loop, place] : region->places) {
            Pauses* pauses = &place.pauses;
            loop->post([pauses] { pauses->end_all(); });
        }
    }
    if (impl_->admin) {
        impl_->admin->drain();
    }
    // Exchanges wake at once and end; a client that reads nothing does not hold us up.
    const Instant patience = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    for (const auto& [name, region] : impl_->regions) {
        while (region->server->active() > 0 && std::chrono::steady_clock::now() < patience) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        region->server->close_all();
    }
    if (impl_->admin) {
        impl_->admin->close_all();
    }
}

}  // namespace weir::simulator
