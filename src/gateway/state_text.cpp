// The state file's content: JSON of version 1, see docs/operations.md.
#include "gateway/state_file.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace weir::gateway {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr int kDepth = 12;
constexpr std::size_t kMostPools = 2000;
constexpr std::size_t kMostTargets = 1000;
constexpr std::size_t kMostUsed = 400;
constexpr std::size_t kMostMeters = 4;
constexpr std::size_t kMostName = 2048;
constexpr double kMostAmount = 1e15;
constexpr double kMostMs = 366.0 * 24 * 3600 * 1000;
/// Clocks of machines that share a disk differ by less.
constexpr std::int64_t kSkewMs = 5000;

constexpr std::array kKinds{LimitKind::requests, LimitKind::tokens, LimitKind::daily_tokens,
                            LimitKind::input_tokens, LimitKind::output_tokens};
constexpr std::array kEndpoints{Endpoint::runtime, Endpoint::mantle};
constexpr std::array kTiers{Tier::unset, Tier::standard, Tier::priority, Tier::flex,
                            Tier::reserved};

/// Thrown within this file alone: one way out of any depth.
struct Useless {
    std::string what;
};

const json& member(const json& of, const char* name) {
    if (!of.is_object()) {
        throw Useless{"it is not what weir writes"};
    }
    const auto found = of.find(name);
    if (found == of.end()) {
        throw Useless{std::string("it has no `") + name + "`"};
    }
    return *found;
}

double number(const json& value, double most) {
    if (!value.is_number()) {
        throw Useless{"a number is missing"};
    }
    const auto read = value.get<double>();
    if (!(read >= 0 && read <= most)) {
        throw Useless{"a number is out of range"};
    }
    return read;
}

std::uint64_t amount(const json& value) {
    return static_cast<std::uint64_t>(number(value, kMostAmount));
}

Duration span(const json& value) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(number(value, kMostMs)));
}

const json& list(const json& of, const char* name, std::size_t most) {
    const json& found = member(of, name);
    if (!found.is_array() || found.size() > most) {
        throw Useless{std::string("`") + name + "` is no list, or too long"};
    }
    return found;
}

std::string text(const json& value) {
    if (!value.is_string()) {
        throw Useless{"a name is missing"};
    }
    auto read = value.get<std::string>();
    if (read.size() > kMostName) {
        throw Useless{"a name is too long"};
    }
    return read;
}

template <class T, std::size_t N>
T one_of(const json& value, const std::array<T, N>& all) {
    const auto name = text(value);
    for (const T& one : all) {
        if (to_string(one) == name) {
            return one;
        }
    }
    throw Useless{"it has a word that this version does not know"};
}

template <std::size_t N>
void numbers(const json& of, const char* name, double most, std::array<double, N>& out) {
    const json& found = list(of, name, N);
    if (found.size() != N) {
        throw Useless{std::string("`") + name + "` is too short"};
    }
    std::ranges::transform(found, out.begin(), [&](const json& v) { return number(v, most); });
}

json text_of(const EngineState::Meter& meter) {
    json used = json::array();
    for (const auto& [age, amount] : meter.used) {
        used.push_back({to_ms(age), amount});
    }
    const auto& learned = meter.learned;
    json told{
        {"peaks", learned.peaks}, {"largest", learned.largest}, {"disputed", learned.disputed}};
    if (learned.limit) {
        told["limit"] = *learned.limit;
    }
    if (learned.refused) {
        told["refused_ms"] = to_ms(*learned.refused);
    }
    return {{"kind", to_string(meter.kind)},
            {"used", std::move(used)},
            {"foreign", meter.foreign},
            {"shapes", meter.shapes},
            {"slot_ms", to_ms(meter.slot_age)},
            {"debts", meter.debts},
            {"returned", meter.returned},
            {"beyond", meter.beyond},
            {"probe_pause_ms", to_ms(meter.probe_pause)},
            {"probe_in_ms", to_ms(meter.probe_in)},
            {"learned", std::move(told)}};
}

EngineState::Meter meter_of(const json& from) {
    EngineState::Meter meter;
    meter.kind = one_of(member(from, "kind"), kKinds);
    for (const json& used : list(from, "used", kMostUsed)) {
        if (!used.is_array() || used.size() != 2) {
            throw Useless{"`used` is not what weir writes"};
        }
        meter.used.push_back({span(used[0]), amount(used[1])});
    }
    meter.foreign = number(member(from, "foreign"), kMostAmount);
    numbers(from, "shapes", 1, meter.shapes);
    meter.slot_age = span(member(from, "slot_ms"));
    numbers(from, "debts", kMostAmount, meter.debts);
    meter.returned = number(member(from, "returned"), kMostAmount);
    meter.beyond = static_cast<std::uint32_t>(number(member(from, "beyond"), 1U << 30));
    meter.probe_pause = span(member(from, "probe_pause_ms"));
    meter.probe_in = span(member(from, "probe_in_ms"));
    const json& learned = member(from, "learned");
    const json& peaks = list(learned, "peaks", meter.learned.peaks.size());
    for (std::size_t i = 0; i < peaks.size(); ++i) {
        meter.learned.peaks[i] = amount(peaks[i]);
    }
    meter.learned.largest = amount(member(learned, "largest"));
    meter.learned.disputed = amount(member(learned, "disputed"));
    if (learned.contains("limit")) {
        meter.learned.limit = std::max<std::uint64_t>(1, amount(learned["limit"]));
    }
    if (learned.contains("refused_ms")) {
        meter.learned.refused = span(learned["refused_ms"]);
    }
    return meter;
}

json text_of(const EngineState::Pool& pool) {
    json targets = json::array();
    for (const Target& target : pool.targets) {
        json place{target.region, target.model, to_string(target.endpoint), to_string(target.tier)};
        if (!target.account.empty()) {
            place.push_back(target.account);
        }
        targets.push_back(std::move(place));
    }
    json meters = json::array();
    for (const EngineState::Meter& meter : pool.meters) {
        meters.push_back(text_of(meter));
    }
    return {{"targets", std::move(targets)},
            {"throttled", pool.throttled},
            {"meters", std::move(meters)}};
}

EngineState::Pool pool_of(const json& from) {
    EngineState::Pool pool;
    for (const json& target : list(from, "targets", kMostTargets)) {
        if (!target.is_array() || target.size() < 4 || target.size() > 5) {
            throw Useless{"`targets` is not what weir writes"};
        }
        pool.targets.push_back({text(target[0]), text(target[1]), one_of(target[2], kEndpoints),
                                one_of(target[3], kTiers),
                                target.size() > 4 ? text(target[4]) : std::string()});
    }
    const json& throttled = member(from, "throttled");
    pool.throttled = throttled.is_boolean() && throttled.get<bool>();
    for (const json& meter : list(from, "meters", kMostMeters)) {
        pool.meters.push_back(meter_of(meter));
    }
    return pool;
}

}  // namespace

std::string state_text(const EngineState& state, bool complete, std::int64_t now_ms) {
    json pools = json::array();
    for (const EngineState::Pool& pool : state.pools) {
        if (pools.size() == kMostPools) {
            break;
        }
        pools.push_back(text_of(pool));
    }
    const json whole{{"weir_state", kVersion},
                     {"written_ms", now_ms},
                     {"complete", complete},
                     {"window_ms", to_ms(state.window)},
                     {"pools", std::move(pools)}};
    // Names come from configurations and callers: whatever they hold, it must not end the process.
    return whole.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

Result<EngineState> parse_state(std::string_view text, std::int64_t now_ms) {
    const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= kDepth; };
    const json read = json::parse(text, shallow, false);
    try {
        if (!read.is_object() || !read.contains("weir_state")) {
            throw Useless{"it is not what weir writes, or cut off"};
        }
        if (number(member(read, "weir_state"), 1e9) != kVersion) {
            throw Useless{"it is of another version of weir"};
        }
        const auto written = static_cast<std::int64_t>(number(member(read, "written_ms"), 1e15));
        if (written > now_ms + kSkewMs) {
            throw Useless{"it is dated " + std::to_string((written - now_ms) / 1000) +
                          " s in the future"};
        }
        EngineState state;
        state.window = span(member(read, "window_ms"));
        state.age = std::chrono::milliseconds(
            std::clamp<std::int64_t>(now_ms - written, 0, static_cast<std::int64_t>(kMostMs)));
        const json& complete = member(read, "complete");
        const bool whole = complete.is_boolean() && complete.get<bool>();
        // The process may have gone on for as long as it takes to write the next one.
        state.unrecorded =
            whole ? Duration::zero()
                  : std::clamp<Duration>(state.age, Duration(1), 2 * state_interval(state.window));
        for (const json& pool : list(read, "pools", kMostPools)) {
            state.pools.push_back(pool_of(pool));
        }
        return state;
    } catch (const Useless& useless) {
        return failure(useless.what);
    }
}

}  // namespace weir::gateway
