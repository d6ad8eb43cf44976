// What one decision costs: the cycle of a call through a backlogged target, and what a waiting call
// and a target take in memory. Prints a line of JSON a figure, then the same for people.
#include <malloc.h>
#include <weir/engine.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

namespace {

std::uint64_t allocations = 0;
std::int64_t allocated_bytes = 0;

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
    ++allocations;
    void* p = std::malloc(size);
    if (p == nullptr) {
        std::abort();
    }
    allocated_bytes += static_cast<std::int64_t>(malloc_usable_size(p));
    return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
    if (p != nullptr) {
        allocated_bytes -= static_cast<std::int64_t>(malloc_usable_size(p));
    }
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept {
    operator delete(p);
}

namespace weir {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kWaiting = 10'000;
constexpr std::size_t kClients = 100;
constexpr std::size_t kCycles = 200'000;
constexpr double kMedianAllowed = 2000;  // ns
constexpr double kTailAllowed = 10'000;  // ns, 99th percentile

void figure(const char* name, double value, const char* unit, double allowed = 0) {
    std::printf("{\"bench\": \"engine\", \"figure\": \"%s\", \"value\": %.1f, \"unit\": \"%s\"",
                name, value, unit);
    if (allowed > 0) {
        std::printf(", \"allowed\": %.1f", allowed);
    }
    std::printf("}\n");
}

Config config() {
    Config c;
    c.regions["us-east-1"] = {};
    c.default_region = "us-east-1";
    QuotaConfig q;
    q.models = {"us.anthropic.claude-sonnet-4-5-20250929-v1:0"};
    q.tokens_per_minute = 100'000'000'000;
    q.requests_per_minute = 100'000'000;
    c.quotas.push_back(q);
    c.queue.max_waiting = 2 * kWaiting;
    c.queue.deadline = 20h;
    c.queue.max_wait = 20h;
    c.pool.max_connections = 100;  // what backlogs the target
    return c;
}

int run() {
    Instant now = Instant{} + 1000s;
    Engine engine(config(), 1, now);
    std::vector<std::string> clients;
    for (std::size_t i = 0; i < kClients; ++i) {
        clients.push_back("client-" + std::to_string(i));
    }
    std::uint64_t generation = 0;
    const auto next_call = [&] {
        Call c;
        c.id = CallId{0, static_cast<std::uint32_t>(generation % 20'000), generation};
        c.client = clients[generation++ * 7 % kClients];
        c.model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        c.home_region = "us-east-1";
        c.input_estimate = 1000 + generation % 1000;
        c.max_output = 1000;
        c.bytes = 1500;
        c.arrival = now;
        c.deadline = 20h;
        return c;
    };
    std::vector<CallId> flying;
    while (flying.size() < 100) {
        const Call c = next_call();
        if (!std::holds_alternative<Grant>(engine.offer(c, now))) {
            std::printf("not granted with room\n");
            return 1;
        }
        engine.sent(c.id, now);
        engine.began(c.id, now);
        flying.push_back(c.id);
    }
    const std::int64_t bytes_before = allocated_bytes;
    const std::uint64_t allocations_before = allocations;
    for (std::size_t i = 0; i < kWaiting; ++i) {
        const Decision d = engine.offer(next_call(), now);
        if (!std::holds_alternative<Wait>(d)) {
            std::printf("not told to wait\n");
            return 1;
        }
    }
    const double bytes_a_call = static_cast<double>(allocated_bytes - bytes_before) / kWaiting;
    const double allocations_a_call =
        static_cast<double>(allocations - allocations_before) / kWaiting;

    std::vector<double> times;
    times.reserve(kCycles);
    std::vector<Wake> woken;
    woken.reserve(64);
    const Usage usage{1100, 200, 0, 0, true};
    engine.settle(flying.back(), usage, now);
    flying.pop_back();
    std::uint64_t cycle_allocations = 0;
    for (std::size_t i = 0; i < kCycles; ++i) {
        now += 100us;
        const Call c = next_call();
        const std::uint64_t count = allocations;
        const auto start = Clock::now();
        const Decision d = engine.offer(c, now);
        woken.clear();
        engine.advance(now, woken);
        if (!std::holds_alternative<Wait>(d) || woken.size() != 1) {
            std::printf("the cycle broke at %zu: %zu woken\n", i, woken.size());
            return 1;
        }
        engine.sent(woken[0].id, now);
        engine.began(woken[0].id, now);
        engine.settle(woken[0].id, usage, now);
        times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
        cycle_allocations += allocations - count;
    }
    std::ranges::sort(times);
    const double median = times[times.size() / 2];
    const double tail = times[times.size() * 99 / 100];

    const std::int64_t targets_before = allocated_bytes;
    constexpr std::size_t kTargets = 500;
    std::vector<std::string> models;
    for (std::size_t i = 0; i < kTargets; ++i) {
        models.push_back("some.other-model-" + std::to_string(i));
    }
    const std::int64_t names = allocated_bytes - targets_before;
    for (const std::string& model : models) {
        Call c = next_call();
        c.model = model;
        c.home_region = "eu-west-1";
        if (std::holds_alternative<Grant>(engine.offer(c, now))) {
            engine.sent(c.id, now);
            engine.settle(c.id, usage, now);
        }
    }
    const double busy = static_cast<double>(allocated_bytes - targets_before - names) / kTargets;
    now += 25h;
    engine.status(now);  // lets the limiters forget
    const double idle = static_cast<double>(allocated_bytes - targets_before - names) / kTargets;

    figure("cycle_median", median, "ns", kMedianAllowed);
    figure("cycle_p99", tail, "ns", kTailAllowed);
    figure("allocations_per_cycle", static_cast<double>(cycle_allocations) / kCycles, "count");
    figure("allocations_per_waiting_call", allocations_a_call, "count");
    figure("bytes_per_waiting_call", bytes_a_call, "bytes");
    figure("bytes_per_used_target", busy, "bytes");
    figure("bytes_per_idle_target", idle, "bytes");
    std::printf(
        "\nengine, %zu calls waiting from %zu clients\n"
        "  offer, advance, sent, began, settle   median %.2f us (allowed %.0f), p99 %.2f us "
        "(allowed %.0f)\n"
        "  allocations a cycle                   %.2f\n"
        "  a waiting call                        %.0f bytes, %.2f allocations\n"
        "  a target                              %.0f bytes in use, %.0f idle\n",
        kWaiting, kClients, median / 1000, kMedianAllowed / 1000, tail / 1000, kTailAllowed / 1000,
        static_cast<double>(cycle_allocations) / kCycles, bytes_a_call, allocations_a_call, busy,
        idle);
    return median <= kMedianAllowed && tail <= kTailAllowed ? 0 : 1;
}

}  // namespace
}  // namespace weir

int main() {
    return weir::run();
}
