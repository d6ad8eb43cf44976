#include "shared/refusals.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>
#include <utility>

namespace weir::shared {

namespace {

/// The books' arguments begin with an instance's name, which is never empty.
constexpr std::string_view kRefusalScript = R"lua(
if ARGV[1] == '' then
    local K, Z, MOST = KEYS[1], KEYS[1] .. ':z', 20000
    local t = redis.call('TIME')
    local now = math.floor(t[1] * 1e3 + t[2] / 1e3)
    if ARGV[2] == 'get' then
        local v = redis.call('HGET', K, ARGV[3])
        if not v then return {} end
        local r = cmsgpack.unpack(v)
        if r[2] <= now then return {} end
        return {string.format('%.0f', now - r[1]), string.format('%.0f', r[2] - now), r[3]}
    end
    local old = redis.call('ZRANGEBYSCORE', Z, '-inf', string.format('%.0f', now), 'LIMIT', 0, 500)
    local over = redis.call('ZCARD', Z) - #old + (#ARGV - 2) / 3 - MOST
    if over > 0 then
        for _, name in ipairs(redis.call('ZRANGE', Z, #old, #old + over - 1)) do
            old[#old + 1] = name
        end
    end
    if #old > 0 then
        redis.call('HDEL', K, unpack(old))
        redis.call('ZREM', Z, unpack(old))
    end
    for i = 3, #ARGV, 3 do
        local ends = now + tonumber(ARGV[i + 1])
        redis.call('HSET', K, ARGV[i], cmsgpack.pack({now, ends, ARGV[i + 2]}))
        redis.call('ZADD', Z, string.format('%.0f', ends), ARGV[i])
    end
    redis.call('EXPIRE', K, 3700)
    redis.call('EXPIRE', Z, 3700)
    return {}
end
)lua";

/// An SDK's next try comes later than this.
constexpr Duration kTogether = std::chrono::milliseconds(20);
constexpr std::size_t kMostTogether = 3 * 64;
constexpr std::size_t kMostQueued = 3 * 4096;
constexpr std::size_t kMostAsked = 256;
constexpr Duration kLongest = std::chrono::hours(1);

std::string name_of(std::string_view client, std::string_view invocation) {
    std::string name(client);
    name.push_back('\0');
    return name.append(invocation);
}

std::int64_t ms(Duration d) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

Duration from_ms(std::int64_t ms) {
    return std::clamp<Duration>(
        std::chrono::milliseconds(std::min<std::int64_t>(ms, 1'000'000'000)), {}, kLongest);
}

std::optional<std::int64_t> number(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

/// Fields one after the other, each behind its length: `5:quota`.
class Writer {
public:
    void add(std::string_view text) {
        out_ += std::to_string(text.size());
        out_ += ':';
        out_ += text;
    }
    void add(std::int64_t value) { add(std::to_string(value)); }
    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

class Reader {
public:
    explicit Reader(std::string_view text) : left_(text) {}

    std::string_view text() {
        const auto colon = left_.find(':');
        const auto size = number(left_.substr(0, std::min(colon, left_.size())));
        if (colon == std::string_view::npos || !size || *size < 0 ||
            static_cast<std::uint64_t>(*size) > left_.size() - colon - 1) {
            good_ = false;
            return {};
        }
        const auto field = left_.substr(colon + 1, static_cast<std::size_t>(*size));
        left_.remove_prefix(colon + 1 + field.size());
        return field;
    }
    std::int64_t integer(std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
        const auto value = number(text());
        good_ = good_ && value && *value >= 0 && *value <= most;
        return good_ ? *value : 0;
    }
    template <class Enum>
    Enum value(Enum last) {
        return static_cast<Enum>(integer(static_cast<std::int64_t>(last)));
    }
    /// Later versions may have more to say.
    bool good() const { return good_; }

private:
    std::string_view left_;
    bool good_ = true;
};

}  // namespace

std::string text_of(const PastRefusal& past) {
    const Refusal& r = past.refusal;
    Writer out;
    out.add(static_cast<std::int64_t>(r.reason));
    out.add(r.retry_after > Duration::zero() ? 1 : 0);
    out.add(r.region);
    out.add(r.model);
    out.add(static_cast<std::int64_t>(r.limit_kind));
    for (const std::uint64_t amount : {r.limit, r.used, r.cost}) {
        out.add(static_cast<std::int64_t>(amount));
    }
    out.add(ms(past.age));
    out.add(ms(past.waited));
    out.add(past.attempts);
    return out.take();
}

std::optional<PastRefusal> past_refusal(std::string_view text) {
    Reader in(text);
    PastRefusal past;
    Refusal& r = past.refusal;
    r.reason = in.value(RefusalReason::no_target);
    const bool told = in.integer(1) != 0;
    r.retry_after = told ? Duration(1) : Duration::zero();
    r.region = in.text();
    r.model = in.text();
    r.limit_kind = in.value(LimitKind::in_flight);
    for (std::uint64_t* amount : {&r.limit, &r.used, &r.cost}) {
        *amount = static_cast<std::uint64_t>(in.integer());
    }
    past.age = from_ms(in.integer());
    past.waited = from_ms(in.integer());
    past.attempts = static_cast<std::uint32_t>(in.integer(1'000'000));
    return in.good() ? std::optional(std::move(past)) : std::nullopt;
}

std::string_view Refusals::script() {
    return kRefusalScript;
}

Refusals::Refusals(net::Loop& loop, Store& store, std::string_view prefix)
    : store_(store),
      key_(std::string(prefix) + ":{refused}"),
      timer_(loop.wheel(), [](void* self) { static_cast<Refusals*>(self)->flush(); }, this) {}

void Refusals::put(std::string_view client, std::string_view invocation, const PastRefusal& past) {
    if (queued_.size() >= kMostQueued) {
        return;
    }
    queued_.push_back(name_of(client, invocation));
    queued_.push_back(std::to_string(ms(std::min(past.left, kLongest))));
    queued_.push_back(text_of(past));
    if (queued_.size() == 3) {
        timer_.set_after(kTogether);
    }
}

void Refusals::flush() {
    while (!queued_.empty()) {
        const auto count = static_cast<std::ptrdiff_t>(std::min(queued_.size(), kMostTogether));
        Store::Call call{key_, {"", "put"}};
        call.args.insert(call.args.end(), std::make_move_iterator(queued_.begin()),
                         std::make_move_iterator(queued_.begin() + count));
        queued_.erase(queued_.begin(), queued_.begin() + count);
        store_.call(std::move(call), [](const auto&) {});
    }
}

void Refusals::find(std::string_view client, std::string_view invocation, Found found) {
    if (asked_ == kMostAsked) {
        found(std::nullopt);
        return;
    }
    ++asked_;
    Store::Call call{key_, {"", "get", name_of(client, invocation)}};
    store_.call(std::move(call), [this, here = std::weak_ptr(here_), found = std::move(found)](
                                     const std::expected<Reply, StoreFailure>& reply) {
        if (here.expired()) {
            return;
        }
        --asked_;
        std::optional<PastRefusal> past;
        if (reply && reply->kind == Reply::Kind::array && reply->items.size() == 3) {
            past = past_refusal(reply->items[2].text);
            const auto age = number(reply->items[0].text);
            const auto left = number(reply->items[1].text);
            if (past && age && left) {
                past->age += from_ms(*age);
                past->left = from_ms(*left);
                if (past->refusal.retry_after > Duration::zero()) {
                    past->refusal.retry_after = past->left;
                }
            }
        }
        found(std::move(past));
    });
}

}  // namespace weir::shared
