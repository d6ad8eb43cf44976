// A program that embeds the engine: offers a call, sends it, settles it, and meets its quota.
#include <weir/engine.h>

#include <chrono>
#include <cstdio>
#include <variant>

namespace {

weir::Config one_call_a_minute() {
    weir::Config config;
    config.regions["us-east-1"] = {};
    config.default_region = "us-east-1";
    weir::QuotaConfig quota;
    quota.models = {"us.example.model-v1:0"};
    quota.requests_per_minute = 1;
    config.quotas.push_back(quota);
    return config;
}

weir::Call call_number(std::uint32_t slot, weir::Instant now) {
    weir::Call call;
    call.id.slot = slot;
    call.model = "us.example.model-v1:0";
    call.home_region = "us-east-1";
    call.input_estimate = 100;
    call.max_output = 100;
    call.arrival = now;
    return call;
}

bool expect(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "not so: %s\n", what);
    }
    return holds;
}

}  // namespace

int main() {
    const weir::Config config = one_call_a_minute();
    const weir::Instant now{std::chrono::hours(1)};
    weir::Engine engine(config, 1, now);

    const weir::Call first = call_number(1, now);
    const weir::Call second = call_number(2, now);
    bool fine = expect(weir::validate(config).empty(), "the configuration is valid");
    fine &= expect(std::holds_alternative<weir::Grant>(engine.offer(first, now)),
                   "the first call is granted");
    engine.sent(first.id, now);
    engine.began(first.id, now);
    weir::Usage usage;
    usage.input = 100;
    usage.output = 50;
    usage.known = true;
    engine.settle(first.id, usage, now);
    fine &= expect(!std::holds_alternative<weir::Grant>(engine.offer(second, now)),
                   "the second is not, within the same minute");
    if (fine) {
        std::puts("an installed weir decides as it should");
    }
    return fine ? 0 : 1;
}
