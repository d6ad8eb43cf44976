#include "observe/live_history.h"

#include "observe/labels.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace weir::observe {
namespace {

constexpr std::size_t kMostTargets = 200;
constexpr std::size_t kMostClients = 200;
constexpr std::size_t kMostModels = 50;

constexpr std::array kTotalColumns{Column{"answered_per_second"},
                                   Column{"refused_per_second"},
                                   Column{"failed_per_second"},
                                   Column{"throttled_per_second"},
                                   Column{"unavailable_per_second"},
                                   Column{"in_flight"},
                                   Column{"waiting_interactive"},
                                   Column{"waiting_standard"},
                                   Column{"waiting_batch"},
                                   Column{"connections"},
                                   Column{"streams"}};
constexpr std::array kTargetColumns{Column{"tokens_used", Fold::highest},
                                    Column{"tokens_reserved"},
                                    Column{"tokens_limit"},
                                    Column{"requests_used", Fold::highest},
                                    Column{"requests_limit"},
                                    Column{"in_flight"},
                                    Column{"breaker", Fold::highest},
                                    Column{"answered_per_second"},
                                    Column{"throttled_per_second"},
                                    Column{"unavailable_per_second"}};
constexpr std::array kClientColumns{Column{"answered_per_second"}, Column{"refused_per_second"},
                                    Column{"quota_tokens_per_second"}, Column{"waiting"}};
constexpr std::array kModelColumns{
    Column{"request_half"}, Column{"request_95", Fold::highest}, Column{"first_token_half"},
    Column{"first_token_95", Fold::highest}, Column{"queue_95", Fold::highest}};

constexpr float kNoValue = std::numeric_limits<float>::quiet_NaN();
constexpr std::array kThrottled{"throttled_requests", "throttled_tokens", "throttled_daily"};
constexpr std::array kUnavailable{"unavailable", "overloaded"};

template <class Names>
std::uint64_t sum_of(const LiveCounts::ByName& counts, const Names& names) {
    std::uint64_t sum = 0;
    for (const std::string_view name : names) {
        if (const auto found = counts.find(name); found != counts.end()) {
            sum += found->second;
        }
    }
    return sum;
}

std::uint64_t all_of(const LiveCounts::ByName& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const auto& one) { return sum + one.second; });
}

/// Requests that weir turned down or that ended by its own doing.
constexpr std::array kRefused{"throttled", "unavailable", "deadline", "drained"};
constexpr std::array kOk{"ok"};
constexpr std::array kFailed{"server_error", "broken_stream"};

/// What is added in a second.
struct Rate {
    double seconds = 0;  ///< 0: not known
    float operator()(std::uint64_t before, std::uint64_t now) const {
        return seconds <= 0
                   ? kNoValue
                   : static_cast<float>(static_cast<double>(now - std::min(before, now)) / seconds);
    }
};

float known(double value, bool is_known) {
    return is_known ? static_cast<float>(value) : kNoValue;
}

std::vector<float> total_row(const Status& status, const LiveCounts& before, const LiveCounts& now,
                             const Rate& rate) {
    std::array<double, kPriorities> waiting{};
    for (const WaitingStatus& one : status.waiting) {
        waiting[static_cast<std::size_t>(one.priority)] += static_cast<double>(one.calls);
    }
    const auto attempts = [&](const LiveCounts& counts, const auto& results) {
        std::uint64_t sum = 0;
        for (const auto& [target, by_result] : counts.attempts) {
            sum += sum_of(by_result, results);
        }
        return sum;
    };
    return {rate(sum_of(before.outcomes, kOk), sum_of(now.outcomes, kOk)),
            rate(sum_of(before.outcomes, kRefused), sum_of(now.outcomes, kRefused)),
            rate(sum_of(before.outcomes, kFailed), sum_of(now.outcomes, kFailed)),
            rate(attempts(before, kThrottled), attempts(now, kThrottled)),
            rate(attempts(before, kUnavailable), attempts(now, kUnavailable)),
            static_cast<float>(status.in_flight),
            static_cast<float>(waiting[0]),
            static_cast<float>(waiting[1]),
            static_cast<float>(waiting[2]),
            static_cast<float>(now.connections_active + now.connections_idle),
            static_cast<float>(now.streams)};
}

std::vector<float> target_row(const TargetStatus& target, const LiveCounts& before,
                              const LiveCounts& now, const Rate& rate) {
    const LimitStatus* tokens = nullptr;
    const LimitStatus* requests = nullptr;
    for (const LimitStatus& limit : target.limits) {
        if (tokens == nullptr &&
            (limit.kind == LimitKind::tokens || limit.kind == LimitKind::input_tokens)) {
            tokens = &limit;
        } else if (limit.kind == LimitKind::requests) {
            requests = &limit;
        }
    }
    const LiveCounts::TargetName name{std::string(account_label(target.account)), target.region,
                                      std::string(without_arn(target.model))};
    const auto results = [&](const LiveCounts& counts) -> const LiveCounts::ByName& {
        static const LiveCounts::ByName none;
        const auto found = counts.attempts.find(name);
        return found == counts.attempts.end() ? none : found->second;
    };
    const auto& old = results(before);
    const auto& recent = results(now);
    const auto figure = [](const LimitStatus* limit, std::uint64_t LimitStatus::* member) {
        return known(limit == nullptr ? 0 : static_cast<double>(limit->*member), limit != nullptr);
    };
    const auto limit_of = [&](const LimitStatus* limit) {
        return limit == nullptr || limit->limit == 0 ? kNoValue
                                                     : figure(limit, &LimitStatus::limit);
    };
    return {figure(tokens, &LimitStatus::used),
            figure(tokens, &LimitStatus::reserved),
            limit_of(tokens),
            figure(requests, &LimitStatus::used),
            limit_of(requests),
            static_cast<float>(target.in_flight),
            static_cast<float>(target.breaker),
            rate(sum_of(old, kOk), sum_of(recent, kOk)),
            rate(sum_of(old, kThrottled), sum_of(recent, kThrottled)),
            rate(sum_of(old, kUnavailable), sum_of(recent, kUnavailable))};
}

std::vector<float> model_row(const ModelLatencies& model) {
    return {known(model.request.half, model.request.count > 0),
            known(model.request.most, model.request.count > 0),
            known(model.first_token.half, model.first_token.count > 0),
            known(model.first_token.most, model.first_token.count > 0),
            known(model.queue.most, model.queue.count > 0)};
}

History::Values client_rows(const Status& status, const LiveCounts& before, const LiveCounts& now,
                            const Rate& rate) {
    History::Values rows;
    for (const auto& [name, counts] : now.clients) {
        static const LiveCounts::Client none;
        const auto found = before.clients.find(name);
        const LiveCounts::Client& old = found == before.clients.end() ? none : found->second;
        if (all_of(counts.outcomes) > 0) {
            rows[name] = {rate(sum_of(old.outcomes, kOk), sum_of(counts.outcomes, kOk)),
                          rate(sum_of(old.outcomes, kRefused), sum_of(counts.outcomes, kRefused)),
                          rate(old.quota_tokens, counts.quota_tokens), 0};
        }
    }
    for (const ClientStatus& client : status.clients) {
        const std::string_view name = or_nobody(client.name);
        const auto found = rows.find(name);
        if (found != rows.end()) {
            found->second.back() = static_cast<float>(client.waiting);
        } else if (client.waiting > 0) {
            rows.emplace(name, std::vector{rate(0, 0), rate(0, 0), rate(0, 0),
                                           static_cast<float>(client.waiting)});
        }
    }
    return rows;
}

void append(std::string& out, float value) {
    if (value != value) {
        out += "null";
        return;
    }
    std::array<char, 32> text{};
    constexpr float kWhole = 10'000;  // from here on without a fraction, and every digit
    const auto end = value < kWhole ? std::to_chars(text.data(), text.data() + text.size(), value,
                                                    std::chars_format::general, 5)
                                    : std::to_chars(text.data(), text.data() + text.size(), value,
                                                    std::chars_format::fixed, 0);
    out.append(text.data(), end.ptr);
}

}  // namespace

std::string live_name(const TargetStatus& target) {
    std::string name(account_label(target.account));
    name.append("/").append(target.region).append("/").append(target.model);
    if (target.endpoint != Endpoint::runtime) {
        name.append("/").append(to_string(target.endpoint));
    }
    if (target.tier != Tier::unset) {
        name.append("/").append(to_string(target.tier));
    }
    return name;
}

LiveHistory::LiveHistory()
    : total_(kTotalColumns, 1),
      targets_(kTargetColumns, kMostTargets),
      clients_(kClientColumns, kMostClients),
      models_(kModelColumns, kMostModels) {}

void LiveHistory::add(const Status& status, const LiveCounts& counts, std::int64_t at) {
    if (at_ && at < *at_ - kHistorySpans.front().step) {
        *this = LiveHistory();  // the clock was ahead: what is here is later than now
    }
    const Rate rate{at_ ? static_cast<double>(at - *at_) : 0};
    latencies_.add(counts, at);
    History::Values total;
    total[std::string(kAll)] = total_row(status, before_, counts, rate);
    total_.add(total, at);
    History::Values targets;
    for (const TargetStatus& target : status.targets) {
        targets[live_name(target)] = target_row(target, before_, counts, rate);
    }
    targets_.add(targets, at);
    clients_.add(client_rows(status, before_, counts, rate), at);
    History::Values models;
    for (const auto& [model, latency] : latencies_.last_minute()) {
        models[model] = model_row(latency);
    }
    models_.add(models, at);
    before_ = counts;
    at_ = at;
}

const History* LiveHistory::table(std::string_view kind) const {
    return kind == "total"    ? &total_
           : kind == "target" ? &targets_
           : kind == "client" ? &clients_
           : kind == "model"  ? &models_
                              : nullptr;
}

std::size_t LiveHistory::bytes() const {
    return total_.bytes() + targets_.bytes() + clients_.bytes() + models_.bytes();
}

std::size_t LiveHistory::most_bytes() const {
    return total_.most_bytes() + targets_.most_bytes() + clients_.most_bytes() +
           models_.most_bytes();
}

std::optional<std::string> history_json(const LiveHistory& history, std::string_view kind,
                                        std::string_view name, const HistorySpan& span) {
    const History* table = history.table(kind);
    if (table == nullptr) {
        return std::nullopt;
    }
    auto series = table->read(name, span);
    if (!series) {
        series.emplace();
        series->step = span.step;
        series->values.resize(table->columns().size());
    }
    const nlohmann::ordered_json head{{"kind", kind},
                                      {"name", name},
                                      {"span", span.name},
                                      {"step_seconds", series->step},
                                      {"end", series->end}};
    std::string out = head.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    out.pop_back();
    out += ",\"columns\":[";
    for (const Column& column : table->columns()) {
        out.append(out.back() == '[' ? "\"" : ",\"").append(column.name).append("\"");
    }
    out += "],\"values\":[";
    for (const auto& values : series->values) {
        out += out.back() == '[' ? "[" : ",[";
        for (const float value : values) {
            if (out.back() != '[') {
                out += ',';
            }
            append(out, value);
        }
        out += ']';
    }
    out += "]}";
    return out;
}

}  // namespace weir::observe
