#include "observe/metrics.h"

#include "observe/families.h"
#include "observe/labels.h"
#include "observe/scrape.h"

#include <functional>
#include <mutex>
#include <thread>

namespace weir::observe {
namespace {

using prometheus::Counter;
using prometheus::Histogram;

constexpr std::size_t kShards = 16;

struct ModelHandles {
    Histogram* request = nullptr;
    Histogram* queue = nullptr;
    Histogram* overhead = nullptr;
    Histogram* first_token = nullptr;
    Histogram* estimate = nullptr;
};
struct RequestHandles {
    Counter* requests = nullptr;
    Counter* reserved_unused = nullptr;
    Counter* sdk_retries = nullptr;
    ModelHandles model;
};
struct TokenHandles {
    Counter* input = nullptr;
    Counter* output = nullptr;
    Counter* cache_read = nullptr;
    Counter* cache_write = nullptr;
    Counter* quota = nullptr;
};

// Prometheus counters take a compare-and-swap even for zero.
void add(Counter* counter, std::uint64_t amount) {
    if (amount > 0) {
        counter->Increment(static_cast<double>(amount));
    }
}

// Handles that one thread, or a few, have used. Only names that are labels themselves get in, so
// its size is bounded by the labels' cardinality and not by traffic.
struct alignas(64) Shard {
    std::mutex mutex;
    HandleMap<4, RequestHandles> requests;  // model, operation, client, outcome
    HandleMap<3, TokenHandles> tokens;      // region, model, client
    HandleMap<3, Counter*> attempts;        // region, model, result
    HandleMap<3, Counter*> refusals;        // reason, model, client
    HandleMap<4, Counter*> fallbacks;       // from region, from model, to region, to model
    HandleMap<1, Histogram*> pool_waits;    // region

    void clear() {
        requests.clear();
        tokens.clear();
        attempts.clear();
        refusals.clear();
        fallbacks.clear();
        pool_waits.clear();
    }
};

std::string_view or_nobody(std::string_view client) {
    return client.empty() ? kNobody : client;
}

}  // namespace

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::ok:
            return "ok";
        case Outcome::throttled:
            return "throttled";
        case Outcome::unavailable:
            return "unavailable";
        case Outcome::server_error:
            return "server_error";
        case Outcome::broken_stream:
            return "broken_stream";
        case Outcome::client_error:
            return "client_error";
        case Outcome::cancelled:
            return "cancelled";
        case Outcome::deadline:
            return "deadline";
    }
    return kOther;
}

std::string_view to_string(AttemptResult result) {
    switch (result) {
        case AttemptResult::ok:
            return "ok";
        case AttemptResult::throttled_requests:
            return "throttled_requests";
        case AttemptResult::throttled_tokens:
            return "throttled_tokens";
        case AttemptResult::throttled_daily:
            return "throttled_daily";
        case AttemptResult::overloaded:
            return "overloaded";
        case AttemptResult::unavailable:
            return "unavailable";
        case AttemptResult::server_error:
            return "server_error";
        case AttemptResult::timeout:
            return "timeout";
        case AttemptResult::network:
            return "network";
        case AttemptResult::broken:
            return "broken";
        case AttemptResult::client_error:
            return "client_error";
    }
    return kOther;
}

// Lock order: a shard's mutex, then `mutex`. configure() takes every shard's, in order.
struct Metrics::Impl {
    std::array<Shard, kShards> shards;

    std::mutex mutex;  // over all below; not needed to use a handle
    Families families;
    LabelValues models, clients, regions;

    Shard& my_shard() {
        thread_local const std::size_t mine =
            std::hash<std::thread::id>{}(std::this_thread::get_id());
        return shards[mine % kShards];
    }

    // The handle under `names`; failing that, the one under their labels, made if it must be.
    // `resolve` turns names into labels, `make` labels into a handle; both run under `mutex`.
    template <std::size_t N, class Handle, class Resolve, class Make>
    Handle& get(HandleMap<N, Handle>& map, const std::array<std::string_view, N>& names,
                const Resolve& resolve, const Make& make) {
        if (Handle* handle = map.find(names)) {
            return *handle;
        }
        const std::lock_guard lock(mutex);
        const std::array<std::string_view, N> labels = resolve(names);
        if (Handle* handle = map.find(labels)) {
            return *handle;
        }
        return *map.insert(labels, make(labels));
    }

    ModelHandles make_model(std::string_view model) {
        const LabelList labels{{"model", model}};
        return {&families.request_seconds.series(labels), &families.queue_seconds.series(labels),
                &families.overhead_seconds.series(labels),
                &families.first_token_seconds.series(labels),
                &families.estimate_ratio.series(labels)};
    }

    RequestHandles& request_handles(Shard& shard, const RequestRecord& record) {
        const bool ok = record.outcome == Outcome::ok;
        return get(
            shard.requests,
            {without_arn(record.model), record.operation, or_nobody(record.client),
             to_string(record.outcome)},
            [&](const auto& n) {
                return std::array{models.label(n[0], ok), n[1],
                                  n[2] == kNobody ? kNobody : clients.label(n[2], ok), n[3]};
            },
            [&](const auto& l) {
                return RequestHandles{
                    &families.requests.series({{"model", l[0]},
                                               {"operation", l[1]},
                                               {"client", l[2]},
                                               {"outcome", l[3]}}),
                    &families.reserved_unused.series({{"model", l[0]}, {"client", l[2]}}),
                    &families.sdk_retries.series({{"client", l[2]}}), make_model(l[0])};
            });
    }

    TokenHandles& token_handles(Shard& shard, const RequestRecord& record) {
        const bool ok = record.outcome == Outcome::ok;
        return get(
            shard.tokens,
            {record.region, without_arn(record.target_model), or_nobody(record.client)},
            [&](const auto& n) {
                return std::array{regions.label(n[0], true), models.label(n[1], ok),
                                  n[2] == kNobody ? kNobody : clients.label(n[2], ok)};
            },
            [&](const auto& l) {
                const auto of = [&](std::string_view kind) {
                    return &families.tokens.series({{"account", "default"},
                                                    {"region", l[0]},
                                                    {"model", l[1]},
                                                    {"client", l[2]},
                                                    {"kind", kind}});
                };
                return TokenHandles{of("input"), of("output"), of("cache_read"), of("cache_write"),
                                    of("quota")};
            });
    }

    Counter& refusal_counter(Shard& shard, const RequestRecord& record) {
        return *get(
            shard.refusals,
            {record.refusal_reason, without_arn(record.model), or_nobody(record.client)},
            [&](const auto& n) {
                return std::array{n[0], models.label(n[1], false),
                                  n[2] == kNobody ? kNobody : clients.label(n[2], false)};
            },
            [&](const auto& l) {
                return &families.refusals.series(
                    {{"reason", l[0]}, {"model", l[1]}, {"client", l[2]}});
            });
    }

    Counter& fallback_counter(Shard& shard, const RequestRecord& record) {
        const bool ok = record.outcome == Outcome::ok;
        return *get(
            shard.fallbacks,
            {record.fallback_from_region, without_arn(record.fallback_from_model), record.region,
             without_arn(record.target_model)},
            [&](const auto& n) {
                return std::array{regions.label(n[0], true), models.label(n[1], ok),
                                  regions.label(n[2], true), models.label(n[3], ok)};
            },
            [&](const auto& l) {
                return &families.fallbacks.series({{"from_region", l[0]},
                                                   {"from_model", l[1]},
                                                   {"to_region", l[2]},
                                                   {"to_model", l[3]}});
            });
    }
};

Metrics::Metrics(std::vector<std::string> models, std::vector<std::string> clients)
    : impl_(std::make_unique<Impl>()) {
    configure(std::move(models), std::move(clients));
    for (const char* result : {"ok", "error"}) {
        impl_->families.reloads.series({{"result", result}});
    }
    impl_->families.unknown_headers.series({});
}

Metrics::~Metrics() = default;

void Metrics::record(const RequestRecord& record) {
    Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    const RequestHandles& handles = impl_->request_handles(shard, record);
    if (record.sdk_retry || record.repeated) {
        handles.sdk_retries->Increment();
    }
    if (record.repeated) {
        return;
    }
    handles.requests->Increment();
    handles.model.request->Observe(record.total_seconds);
    handles.model.queue->Observe(record.queued_seconds);
    handles.model.overhead->Observe(record.overhead_seconds);
    if (record.first_token_seconds >= 0) {
        handles.model.first_token->Observe(record.first_token_seconds);
    }
    if (!record.refusal_reason.empty()) {
        impl_->refusal_counter(shard, record).Increment();
    }
    const Usage& usage = record.usage;
    if (usage.known && record.input_estimate > 0) {
        const std::uint64_t actual = usage.input + usage.cache_read + usage.cache_write;
        handles.model.estimate->Observe(static_cast<double>(actual) /
                                        static_cast<double>(record.input_estimate));
    }
    if (usage.known && record.reserved > record.quota_tokens) {
        add(handles.reserved_unused, record.reserved - record.quota_tokens);
    }
    if (!record.region.empty() && (usage.known || record.quota_tokens > 0)) {
        const TokenHandles& tokens = impl_->token_handles(shard, record);
        add(tokens.input, usage.input);
        add(tokens.output, usage.output);
        add(tokens.cache_read, usage.cache_read);
        add(tokens.cache_write, usage.cache_write);
        add(tokens.quota, record.quota_tokens);
    }
    if (!record.fallback_from_region.empty()) {
        impl_->fallback_counter(shard, record).Increment();
    }
}

void Metrics::count_attempt(std::string_view region, std::string_view model, AttemptResult result) {
    Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    Counter* counter = impl_->get(
        shard.attempts, {region, without_arn(model), to_string(result)},
        [&](const auto& n) {
            return std::array{impl_->regions.label(n[0], true),
                              impl_->models.label(n[1], result == AttemptResult::ok), n[2]};
        },
        [&](const auto& l) {
            return &impl_->families.attempts.series(
                {{"account", "default"}, {"region", l[0]}, {"model", l[1]}, {"result", l[2]}});
        });
    counter->Increment();
}

void Metrics::count_pool_wait(std::string_view region, double seconds) {
    Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    Histogram* histogram = impl_->get(
        shard.pool_waits, {region},
        [&](const auto& n) { return std::array{impl_->regions.label(n[0], true)}; },
        [&](const auto& l) {
            return &impl_->families.pool_wait_seconds.series(
                {{"side", "upstream"}, {"region", l[0]}});
        });
    histogram->Observe(seconds);
}

void Metrics::count_reload(bool ok) {
    const std::lock_guard lock(impl_->mutex);
    impl_->families.reloads.series({{"result", ok ? "ok" : "error"}}).Increment();
}

void Metrics::count_unknown_header() {
    const std::lock_guard lock(impl_->mutex);
    impl_->families.unknown_headers.series({}).Increment();
}

std::string Metrics::text(const Gauges& gauges) {
    std::vector<prometheus::MetricFamily> families;
    {
        const std::lock_guard lock(impl_->mutex);
        families = impl_->families.collect();
        append_gauges(families, gauges, [this](std::string_view model) {
            return impl_->models.label(without_arn(model), false);
        });
    }
    append_process(families);
    return to_text(families);
}

void Metrics::configure(std::vector<std::string> models, std::vector<std::string> clients) {
    std::array<std::unique_lock<std::mutex>, kShards> locks;
    for (std::size_t i = 0; i < kShards; ++i) {
        locks[i] = std::unique_lock(impl_->shards[i].mutex);
    }
    const std::lock_guard lock(impl_->mutex);
    for (std::string& model : models) {
        model = std::string(without_arn(model));
    }
    std::vector<std::string> gone = impl_->models.configure(std::move(models));
    std::vector<std::string> clients_gone = impl_->clients.configure(std::move(clients));
    gone.insert(gone.end(), clients_gone.begin(), clients_gone.end());
    if (gone.empty()) {
        return;
    }
    // The handles go before the series that they point to.
    for (Shard& shard : impl_->shards) {
        shard.clear();
    }
    impl_->families.forget(gone);
}

}  // namespace weir::observe
