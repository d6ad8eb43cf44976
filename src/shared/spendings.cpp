#include "shared/spendings.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace weir::shared {

namespace {

/// The books' arguments begin with an instance's name, which is never empty; those of the refusals
/// go on with other words.
constexpr std::string_view kSpendingScript = R"lua(
if ARGV[1] == '' and ARGV[2] == 'spent' then
    local MOST, SILENT = 1e15, 60
    local now, me, out = tonumber(redis.call('TIME')[1]), ARGV[3], {}
    local function parsed(v)
        local spent, under_way, at = string.match(v, '^(%d+) (%d+) (%d+)$')
        spent, under_way, at = tonumber(spent), tonumber(under_way), tonumber(at)
        if not at or spent > MOST or under_way > MOST then return nil end
        return spent, under_way, at
    end
    for i = 4, #ARGV, 4 do
        local K = KEYS[1] .. ':' .. ARGV[i]
        local own, mine = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
        own = math.max(own, parsed(redis.call('HGET', K, me) or '') or 0)
        if own > 0 or mine > 0 then
            redis.call('HSET', K, me, string.format('%.0f %.0f %.0f', own, mine, now))
            redis.call('EXPIRE', K, ARGV[i + 3])
        end
        local others, theirs, count, strange = 0, 0, 1, 0
        local all = redis.call('HGETALL', K)
        for j = 1, #all, 2 do
            if all[j] ~= me then
                local spent, under_way, at = parsed(all[j + 1])
                if not spent then
                    strange = strange + 1
                else
                    count, others = count + 1, math.min(others + spent, MOST)
                    if at + SILENT > now then theirs = math.min(theirs + under_way, MOST) end
                end
            end
        end
        for _, n in ipairs({own, others, theirs, count, strange}) do
            out[#out + 1] = string.format('%.0f', n)
        end
    end
    return out
end
)lua";

constexpr std::size_t kFigures = 5;  // of an answer

/// Seconds; longer than the period, for who is late.
std::string kept_for(policy::BudgetPeriod period) {
    constexpr int kDay = 86'400;
    return std::to_string(period == policy::BudgetPeriod::day ? 3 * kDay : 40 * kDay);
}

std::optional<std::uint64_t> number(const Reply& reply) {
    std::uint64_t value = 0;
    const char* const end = reply.text.data() + reply.text.size();
    const auto read = std::from_chars(reply.text.data(), end, value);
    return reply.kind == Reply::Kind::text && read.ec == std::errc() && read.ptr == end &&
                   value <= policy::kMostMicroDollars
               ? std::optional(value)
               : std::nullopt;
}

}  // namespace

std::string_view Spendings::script() {
    return kSpendingScript;
}

std::string spending_key(std::string_view prefix, std::string_view client) {
    // A client's name has no brace and no colon.
    return std::string(prefix) + ":{spent:" + std::string(client) + "}";
}

std::optional<std::vector<policy::SpendingAnswer>> spending_answers(
    const std::vector<policy::SpendingReport>& reports, const Reply& reply) {
    if (reply.kind != Reply::Kind::array || reply.items.size() != reports.size() * kFigures) {
        return std::nullopt;
    }
    std::vector<policy::SpendingAnswer> out;
    auto item = reply.items.begin();
    for (const policy::SpendingReport& report : reports) {
        std::array<std::uint64_t, kFigures> figures{};
        for (std::uint64_t& figure : figures) {
            const auto value = number(*item++);
            if (!value) {
                return std::nullopt;
            }
            figure = *value;
        }
        constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
        policy::SpendingAnswer answer;
        answer.to = report;
        answer.own = figures[0];
        answer.others = figures[1];
        answer.others_under_way = figures[2];
        answer.instances = static_cast<std::uint32_t>(std::min(figures[3], kMost));
        answer.strange = static_cast<std::uint32_t>(std::min(figures[4], kMost));
        out.push_back(std::move(answer));
    }
    return out;
}

Spendings::Spendings(Store& store, std::string_view prefix, LogSink log)
    : store_(store), prefix_(prefix), log_(std::move(log)) {}

void Spendings::exchange(std::string_view client, std::string_view instance,
                         std::vector<policy::SpendingReport> reports, Heard heard) {
    Store::Call call{spending_key(prefix_, client), {"", "spent", std::string(instance)}};
    for (const policy::SpendingReport& report : reports) {
        call.args.push_back(report.name);
        call.args.push_back(std::to_string(report.spent));
        call.args.push_back(std::to_string(report.under_way));
        call.args.push_back(kept_for(report.period));
    }
    store_.call(std::move(call), [this, here = std::weak_ptr(here_), client = std::string(client),
                                  reports = std::move(reports), heard = std::move(heard)](
                                     const std::expected<Reply, StoreFailure>& reply) {
        if (!here.expired()) {
            take(client, reports, reply, heard);
        }
    });
}

void Spendings::take(std::string_view client, const std::vector<policy::SpendingReport>& reports,
                     const std::expected<Reply, StoreFailure>& reply, const Heard& heard) {
    const std::string key = spending_key(prefix_, client);
    if (!reply) {
        const StoreError error = reply.error().error;
        if (error == StoreError::wrong_type || error == StoreError::script) {
            complain("the keys of " + key + " hold something else (" + reply.error().text +
                     "); this instance counts that client's spending alone");
        }
        return;  // of the rest the store's own log lines tell
    }
    const auto answers = spending_answers(reports, *reply);
    if (!answers) {
        complain("the store's answer on " + key +
                 " is none of this version's; this instance counts that client's spending alone");
        return;
    }
    for (const policy::SpendingAnswer& answer : *answers) {
        if (answer.strange > 0) {
            complain(key + ":" + answer.to.name + " has " + std::to_string(answer.strange) +
                     " values that no instance has written; they are not counted");
        }
        heard(answer);
    }
}

/// Once: it stays as it is until somebody looks after it.
void Spendings::complain(std::string text) {
    if (log_ && !std::exchange(complained_, true)) {
        log_(LogLevel::warn, "shared: " + std::move(text));
    }
}

}  // namespace weir::shared
