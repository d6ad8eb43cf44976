#include "observe/metrics.h"

#include "observe/exemplars.h"
#include "observe/families.h"
#include "observe/gen_ai_metrics.h"
#include "observe/labels.h"
#include "observe/open_metrics.h"
#include "observe/scrape.h"
#include "observe/shards.h"
#include "observe/tally.h"

#include <algorithm>
#include <mutex>

namespace weir::observe {
namespace {

constexpr double kDollarsOfNano = 1e-9;

/// One for each RequestMetric.
class RequestTallies {
public:
    /// `names`: the values of kRequestLabels, of which each metric has some.
    RequestTallies(const Rows& rows, const std::array<std::string_view, 4>& names) {
        const auto values = [&](const Family& metric) {
            std::vector<std::string_view> own;
            for (const std::string_view label : metric.labels()) {
                const auto at = std::ranges::find(kRequestLabels, label) - kRequestLabels;
                own.push_back(names.at(static_cast<std::size_t>(at)));
            }
            return own;
        };
        for (CounterMetric* metric : rows.request_counters) {
            counters_.emplace_back(metric->series(values(*metric)));
        }
        for (HistogramMetric* metric : rows.request_histograms) {
            histograms_.emplace_back(metric->series(values(*metric)), metric->buckets());
        }
    }

    void add(const RequestCounter& metric, std::uint64_t amount = 1) {
        counters_[metric.slot()].add(amount);
    }
    void observe(const RequestHistogram& metric, double value) {
        histograms_[metric.slot()].observe(value);
    }
    void pour_out() {
        std::ranges::for_each(counters_, &CounterTally::pour_out);
        std::ranges::for_each(histograms_, &HistogramTally::pour_out);
    }

private:
    std::vector<CounterTally> counters_;
    std::vector<HistogramTally> histograms_;
};

struct TokenTallies {
    CounterTally input, output, cache_read, cache_write, quota;

    void pour_out() {
        for (CounterTally* one : {&input, &output, &cache_read, &cache_write, &quota}) {
            one->pour_out();
        }
    }
};

}  // namespace

// Lock order: a shard's mutex, then `mutex`. configure() takes every shard's, in order.
struct Metrics::Impl {
    // What one thread, or a few, have counted since the last scrape. Only names that are labels
    // themselves get in, so its size is bounded by the labels' cardinality and not by traffic.
    struct alignas(64) Shard {
        std::mutex mutex;
        HandleMap<4, RequestTallies> requests;  // model, operation, client, outcome
        HandleMap<4, TokenTallies> tokens;      // region, model, client, account
        // Only where there is some: what has no price costs an unknown sum, not nothing.
        HandleMap<4, CounterTally> costs, unpriced;  // region, model, client, account
        HandleMap<4, CounterTally> attempts;         // region, model, result, account
        HandleMap<3, CounterTally> refusals;         // reason, model, client
        HandleMap<4, CounterTally> fallbacks;        // from region, from model, to region, to model
        HandleMap<1, HistogramTally> pool_waits;     // region
        HandleMap<4, GenAiTally> gen_ai;             // GenAiNames; added up until it is cleared

        void pour_out() {
            const auto pour = [](auto& tally) { tally.pour_out(); };
            requests.each(pour);
            tokens.each(pour);
            costs.each(pour);
            unpriced.each(pour);
            attempts.each(pour);
            refusals.each(pour);
            fallbacks.each(pour);
            pool_waits.each(pour);
        }

        void clear() {
            requests.clear();
            tokens.clear();
            costs.clear();
            unpriced.clear();
            attempts.clear();
            refusals.clear();
            fallbacks.clear();
            pool_waits.clear();
            gen_ai.clear();
        }
    };

    std::array<Shard, kShards> shards;

    std::mutex mutex;  // over all below; not needed to use a handle
    Families families;
    LabelValues models, clients, regions;
    Exemplars exemplars;

    Shard& my_shard() { return shards[shard_of_thread()]; }

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

    static CounterTally tally(CounterMetric& metric,
                              std::initializer_list<std::string_view> values) {
        return CounterTally(metric.series(values));
    }
    static HistogramTally tally(HistogramMetric& metric,
                                std::initializer_list<std::string_view> values) {
        return HistogramTally(metric.series(values), metric.buckets());
    }

    RequestTallies& request_tallies(Shard& shard, const RequestRecord& record) {
        const bool ok = record.outcome == Outcome::ok;
        return get(
            shard.requests,
            {without_arn(record.model), record.operation, or_nobody(record.client),
             to_string(record.outcome)},
            [&](const auto& n) {
                return std::array{models.label(n[0], ok), n[1],
                                  n[2] == kNobody ? kNobody : clients.label(n[2], ok), n[3]};
            },
            [&](const auto& l) { return RequestTallies(families.rows, l); });
    }

    /// A handle by Region, model, client and account of the attempt that answered.
    template <class Handle, class Make>
    Handle& by_place(HandleMap<4, Handle>& map, const RequestRecord& record, const Make& make) {
        const bool ok = record.outcome == Outcome::ok;
        return get(
            map,
            {record.region, without_arn(record.target_model), or_nobody(record.client),
             account_label(record.account)},
            [&](const auto& n) {
                return std::array{regions.label(n[0], true), models.label(n[1], ok),
                                  n[2] == kNobody ? kNobody : clients.label(n[2], ok), n[3]};
            },
            make);
    }

    TokenTallies& token_tallies(Shard& shard, const RequestRecord& record) {
        return by_place(shard.tokens, record, [&](const auto& l) {
            const auto of = [&](std::string_view kind) {
                return tally(families.counted.tokens, {l[3], l[0], l[1], l[2], kind});
            };
            return TokenTallies{of("input"), of("output"), of("cache_read"), of("cache_write"),
                                of("quota")};
        });
    }

    CounterTally& money_tally(HandleMap<4, CounterTally>& map, const RequestRecord& record,
                              CounterMetric& metric, double unit) {
        return by_place(map, record, [&](const auto& l) {
            return CounterTally(metric.series({l[3], l[0], l[1], l[2]}), unit);
        });
    }

    CounterTally& refusal_tally(Shard& shard, const RequestRecord& record) {
        return get(
            shard.refusals,
            {record.refusal_reason, without_arn(record.model), or_nobody(record.client)},
            [&](const auto& n) {
                return std::array{n[0], models.label(n[1], false),
                                  n[2] == kNobody ? kNobody : clients.label(n[2], false)};
            },
            [&](const auto& l) { return tally(families.counted.refusals, {l[0], l[1], l[2]}); });
    }

    GenAiTally& gen_ai_tally(Shard& shard, const RequestRecord& record) {
        const bool ok = record.outcome == Outcome::ok;
        return get(
            shard.gen_ai,
            {record.gen_ai_operation, without_arn(record.model),
             ok ? without_arn(record.target_model) : std::string_view(),
             ok ? std::string_view() : to_string(record.outcome)},
            [&](const auto& n) {
                return std::array{n[0], models.label(n[1], ok),
                                  n[2].empty() ? n[2] : models.label(n[2], ok), n[3]};
            },
            [](const auto&) { return GenAiTally(); });
    }

    /// The request's trace as exemplar of its times.
    void keep_exemplars(const RequestRecord& record) {
        const std::lock_guard lock(mutex);
        const std::string_view label =
            models.label(without_arn(record.model), record.outcome == Outcome::ok);
        const auto keep = [&](const HistogramMetric& metric, double seconds) {
            exemplars.keep(metric.name(), label, metric.buckets(),
                           {seconds, record.trace, record.unix_ms});
        };
        keep(families.counted.request_seconds, record.total_seconds);
        if (record.first_token_seconds >= 0) {
            keep(families.counted.first_token_seconds, record.first_token_seconds);
        }
    }

    /// The shard is locked.
    void count_answer(Shard& shard, const RequestRecord& record) {
        const Usage& usage = record.usage;
        if (!record.region.empty() && (usage.known || record.quota_tokens > 0)) {
            TokenTallies& tokens = token_tallies(shard, record);
            tokens.input.add(usage.input);
            tokens.output.add(usage.output);
            tokens.cache_read.add(usage.cache_read);
            tokens.cache_write.add(usage.cache_write);
            tokens.quota.add(record.quota_tokens);
        }
        if (record.cost_nanodollars > 0) {
            money_tally(shard.costs, record, families.counted.cost, kDollarsOfNano)
                .add(record.cost_nanodollars);
        }
        if (record.unpriced_tokens > 0) {
            money_tally(shard.unpriced, record, families.counted.unpriced_tokens, 1)
                .add(record.unpriced_tokens);
        }
    }

    CounterTally& fallback_tally(Shard& shard, const RequestRecord& record) {
        const bool ok = record.outcome == Outcome::ok;
        return get(
            shard.fallbacks,
            {record.fallback_from_region, without_arn(record.fallback_from_model), record.region,
             without_arn(record.target_model)},
            [&](const auto& n) {
                return std::array{regions.label(n[0], true), models.label(n[1], ok),
                                  regions.label(n[2], true), models.label(n[3], ok)};
            },
            [&](const auto& l) {
                return tally(families.counted.fallbacks, {l[0], l[1], l[2], l[3]});
            });
    }
};

Metrics::Metrics(std::vector<std::string> models, std::vector<std::string> clients)
    : impl_(std::make_unique<Impl>()) {
    configure(std::move(models), std::move(clients));
    for (const char* result : {"ok", "error"}) {
        impl_->families.counted.reloads.series({result});
    }
    impl_->families.counted.unknown_headers.series({});
}

Metrics::~Metrics() = default;

void Metrics::record(const RequestRecord& record) {
    Impl::Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    CountedFamilies& families = impl_->families.counted;
    RequestTallies& tallies = impl_->request_tallies(shard, record);
    if (record.sdk_retry || record.repeated) {
        tallies.add(families.sdk_retries);
    }
    if (record.repeated) {
        return;
    }
    tallies.add(families.requests);
    if (is_rescued(record.outcome, record.queued_seconds, record.attempts)) {
        tallies.add(families.rescued);
    }
    tallies.observe(families.request_seconds, record.total_seconds);
    tallies.observe(families.queue_seconds, record.queued_seconds);
    tallies.observe(families.overhead_seconds, record.overhead_seconds);
    if (record.first_token_seconds >= 0) {
        tallies.observe(families.first_token_seconds, record.first_token_seconds);
    }
    if (!record.refusal_reason.empty()) {
        impl_->refusal_tally(shard, record).add();
    }
    const Usage& usage = record.usage;
    if (usage.known && record.input_estimate > 0) {
        const std::uint64_t actual = usage.input + usage.cache_read + usage.cache_write;
        tallies.observe(families.estimate_ratio,
                        static_cast<double>(actual) / static_cast<double>(record.input_estimate));
    }
    if (usage.known && record.reserved > record.quota_tokens) {
        tallies.add(families.reserved_unused, record.reserved - record.quota_tokens);
    }
    impl_->count_answer(shard, record);
    if (!record.fallback_from_region.empty()) {
        impl_->fallback_tally(shard, record).add();
    }
    if (!record.gen_ai_operation.empty()) {
        impl_->gen_ai_tally(shard, record)
            .observe(record.total_seconds, record.first_token_seconds, usage);
    }
    if (record.trace.valid()) {
        impl_->keep_exemplars(record);
    }
}

void Metrics::count_answer(const RequestRecord& record) {
    Impl::Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    impl_->count_answer(shard, record);
}

void Metrics::count_attempt(const Target& at, AttemptResult result) {
    Impl::Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    CounterTally& attempts = impl_->get(
        shard.attempts,
        {at.region, without_arn(at.model), to_string(result), account_label(at.account)},
        [&](const auto& n) {
            return std::array{impl_->regions.label(n[0], true),
                              impl_->models.label(n[1], result == AttemptResult::ok), n[2], n[3]};
        },
        [&](const auto& l) {
            return Impl::tally(impl_->families.counted.attempts, {l[3], l[0], l[1], l[2]});
        });
    attempts.add();
}

void Metrics::count_pool_wait(std::string_view region, double seconds) {
    Impl::Shard& shard = impl_->my_shard();
    const std::lock_guard lock(shard.mutex);
    HistogramTally& waits = impl_->get(
        shard.pool_waits, {region},
        [&](const auto& n) { return std::array{impl_->regions.label(n[0], true)}; },
        [&](const auto& l) {
            return Impl::tally(impl_->families.counted.pool_wait_seconds, {"upstream", l[0]});
        });
    waits.observe(seconds);
}

void Metrics::count_reload(bool ok) {
    const std::lock_guard lock(impl_->mutex);
    impl_->families.counted.reloads.series({ok ? "ok" : "error"}).Increment();
}

void Metrics::count_unknown_header() {
    const std::lock_guard lock(impl_->mutex);
    impl_->families.counted.unknown_headers.series({}).Increment();
}

std::string Metrics::text(const Gauges& gauges) {
    return to_text(collect(gauges));
}

std::string Metrics::open_metrics(const std::vector<prometheus::MetricFamily>& families) {
    Exemplars exemplars;
    {
        const std::lock_guard lock(impl_->mutex);
        exemplars = impl_->exemplars;
    }
    return to_open_metrics(families, exemplars);
}

std::vector<OtlpHistogram> Metrics::gen_ai() {
    std::map<GenAiNames, GenAiTally> all;
    for (Impl::Shard& shard : impl_->shards) {
        const std::lock_guard lock(shard.mutex);
        shard.gen_ai.each_named(
            [&](const GenAiNames& names, const GenAiTally& tally) { all[names].add(tally); });
    }
    return gen_ai_histograms(all);
}

std::vector<prometheus::MetricFamily> Metrics::collect(const Gauges& gauges) {
    for (Impl::Shard& shard : impl_->shards) {
        const std::lock_guard lock(shard.mutex);
        shard.pour_out();
    }
    std::vector<prometheus::MetricFamily> families;
    {
        const std::lock_guard lock(impl_->mutex);
        read_gauges(impl_->families, gauges, [this](std::string_view model) {
            return impl_->models.label(without_arn(model), false);
        });
        families = impl_->families.collect();
    }
    append_process(families);
    return families;
}

void Metrics::configure(std::vector<std::string> models, std::vector<std::string> clients) {
    const auto locks = lock_all(impl_->shards);
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
    // What refers to series goes before them.
    for (Impl::Shard& shard : impl_->shards) {
        shard.pour_out();
        shard.clear();
    }
    impl_->families.forget(gone);
    impl_->exemplars.clear();
}

}  // namespace weir::observe
