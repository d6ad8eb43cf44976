#include "shared/books_wire.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

namespace weir::shared {

namespace {

std::int64_t us(Duration d) {
    return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

std::string text_of(double number) {
    char buffer[32];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
    return {buffer, end};
}

/// The items of a reply in order. Once one is not what it should be, all are nothing.
class Items {
public:
    explicit Items(const std::vector<Reply>& items) : items_(items) {}

    bool good() const { return good_; }
    bool at_end() const { return next_ == items_.size(); }

    std::string text() {
        const Reply* item = take();
        if (item == nullptr || item->kind == Reply::Kind::text) {
            return item == nullptr ? std::string() : item->text;
        }
        return fail<std::string>();
    }
    std::int64_t integer(std::int64_t least = std::numeric_limits<std::int64_t>::min()) {
        const Reply* item = take();
        std::int64_t value = 0;
        if (item != nullptr && item->kind == Reply::Kind::integer) {
            value = item->integer;
        } else if (item == nullptr || !parsed(*item, value)) {
            return fail<std::int64_t>();
        }
        return value >= least && value <= kMost ? value : fail<std::int64_t>();
    }
    double number() {
        const Reply* item = take();
        double value = 0;
        if (item == nullptr || !parsed(*item, value) || !std::isfinite(value)) {
            return fail<double>();
        }
        return value;
    }
    Duration duration() { return std::chrono::microseconds(std::min(integer(0), kLongest)); }
    std::size_t count() {
        const std::int64_t n = integer(0);
        return static_cast<std::size_t>(n) <= items_.size() ? static_cast<std::size_t>(n)
                                                            : fail<std::size_t>();
    }

private:
    static constexpr std::int64_t kMost = std::int64_t{1} << 53;
    static constexpr std::int64_t kLongest = std::int64_t{100} * 86'400 * 1'000'000;

    const Reply* take() {
        if (!good_ || next_ >= items_.size()) {
            good_ = false;
            return nullptr;
        }
        return &items_[next_++];
    }
    template <class T>
    static bool parsed(const Reply& item, T& value) {
        const char* const end = item.text.data() + item.text.size();
        const auto read = std::from_chars(item.text.data(), end, value);
        return item.kind == Reply::Kind::text && read.ec == std::errc() && read.ptr == end;
    }
    template <class T>
    T fail() {
        good_ = false;
        return T();
    }

    const std::vector<Reply>& items_;
    std::size_t next_ = 0;
    bool good_ = true;
};

BookAmounts amounts(Items& items) {
    BookAmounts all{};
    for (std::int64_t& amount : all) {
        amount = items.integer(0);
    }
    return all;
}

std::vector<BookExchange::Backlog> backlog(Items& items) {
    std::vector<BookExchange::Backlog> all(items.count());
    for (auto& b : all) {
        b.cls = static_cast<std::uint32_t>(items.integer(0));
        b.client = items.text();
        b.tokens = items.number();
        b.calls = items.number();
        b.refused = items.number();
    }
    return all;
}

}  // namespace

std::vector<std::string> arguments(std::string_view instance, const BookExchange& exchange) {
    std::vector<std::string> out;
    const auto add = [&](std::int64_t n) { out.push_back(std::to_string(n)); };
    const auto add_all = [&](const BookAmounts& all) {
        for (const std::int64_t amount : all) {
            add(amount);
        }
    };
    out.emplace_back(instance);
    add(static_cast<std::int64_t>(exchange.seq));
    add(static_cast<std::int64_t>(exchange.after));
    add(us(exchange.beat));
    add(us(exchange.window));
    add_all(exchange.limits);
    add_all(exchange.spent);
    add_all(exchange.returned);
    add_all(exchange.untold);
    add_all(exchange.ahead);
    add_all(exchange.alone);
    add(exchange.alone_epoch);
    add(exchange.wants_profile ? 1 : 0);
    add(exchange.leaves ? 1 : 0);
    add(exchange.instances);
    for (const auto& l : exchange.learned) {
        add(l.limit);
        add(l.peak);
        add(l.refused ? 1 : 0);
        add(l.probes ? 1 : 0);
    }
    add(exchange.settling);
    add(static_cast<std::int64_t>(exchange.corrections.size()));
    for (const auto& c : exchange.corrections) {
        add(static_cast<std::int64_t>(c.book));
        add(c.bucket);
        add(c.amount);
        add(c.settled);
    }
    add(static_cast<std::int64_t>(exchange.heads.size()));
    for (const auto& head : exchange.heads) {
        add(head.cls);
        out.push_back(head.client);
        add(us(head.waited));
        add_all(head.need);
    }
    add(static_cast<std::int64_t>(exchange.charges.size()));
    for (const auto& c : exchange.charges) {
        out.push_back(c.client);
        out.push_back(text_of(c.amount));
    }
    add(static_cast<std::int64_t>(exchange.backlog.size()));
    for (const auto& b : exchange.backlog) {
        add(b.cls);
        out.push_back(b.client);
        out.push_back(text_of(b.tokens));
        out.push_back(text_of(b.calls));
        out.push_back(text_of(b.refused));
    }
    add(static_cast<std::int64_t>(exchange.troubles.size()));
    for (const auto& t : exchange.troubles) {
        add(static_cast<std::int64_t>(t.kind));
        out.push_back(t.model);
        add(us(t.lasts));
    }
    return out;
}

std::expected<BookAnswer, std::string> answer_of(std::string_view quota, const Reply& reply) {
    if (reply.kind != Reply::Kind::array) {
        return std::unexpected("the script's reply is no array");
    }
    Items items(reply.items);
    BookAnswer answer;
    answer.quota = quota;
    answer.seq = static_cast<std::uint64_t>(items.integer(0));
    answer.before = static_cast<std::uint64_t>(items.integer(0));
    answer.now = items.integer(0);
    answer.epoch = items.integer(0);
    answer.young = items.integer(0) != 0;
    answer.instances =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(items.integer(0), 1, 1'000'000));
    answer.buckets = amounts(items);
    answer.granted = amounts(items);
    answer.used = amounts(items);
    answer.held = amounts(items);
    answer.alone = amounts(items);
    answer.room_in = items.duration();
    answer.turn =
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(items.integer(0), 0, 1'000'000));
    for (auto& l : answer.learned) {
        l.limit = items.integer(0);
        l.peak = items.integer(0);
        l.confirmed = items.duration();
    }
    answer.settling = items.integer(0);
    answer.counters.resize(items.count());
    for (auto& c : answer.counters) {
        c.client = items.text();
        c.amount = items.number();
    }
    answer.elsewhere = backlog(items);
    answer.classes = backlog(items);
    answer.troubles.resize(items.count());
    for (auto& t : answer.troubles) {
        using Kind = BookExchange::Trouble::Kind;
        t.kind = items.integer(0) == 0 ? Kind::breaker : Kind::day;
        t.model = items.text();
        t.lasts = items.duration();
    }
    if (const std::int64_t logged = items.integer(-1); logged >= 0 && items.good()) {
        answer.has_profile = true;
        answer.profile.resize(
            std::min<std::size_t>(static_cast<std::size_t>(logged), reply.items.size()));
        for (auto& l : answer.profile) {
            const std::int64_t book = items.integer(0);
            l.book = static_cast<Book>(std::min<std::int64_t>(book, kBooks - 1));
            l.bucket = items.integer(0);
            l.age = items.duration();
            l.amount = items.integer(0);
            l.settled = items.integer(0);
        }
    }
    if (!items.good() || !items.at_end()) {
        return std::unexpected("the script's reply is not as it should be");
    }
    return answer;
}

}  // namespace weir::shared
