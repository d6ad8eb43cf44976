// The script that keeps the books, in a real server, against the same in C++.
#include "shared/books_script.h"
#include "plan/book_model.h"
#include "property/random_source.h"
#include "shared/books_wire.h"
#include "unit/shared/support.h"

#include <sstream>
#include <thread>

namespace weir::shared {
namespace {

using namespace std::chrono_literals;
using plan::BookModel;
using test::RedisServer;
using weir::test::Dice;

bool server_absent() {
    return std::system("command -v redis-server > /dev/null") != 0;
}

std::string text_of(const BookAmounts& amounts) {
    std::ostringstream out;
    for (const std::int64_t a : amounts) {
        out << ' ' << a;
    }
    return out.str();
}

std::string text_of(std::vector<BookExchange::Backlog> all) {
    std::ranges::sort(all, {}, [](const auto& b) { return std::tie(b.cls, b.client); });
    std::ostringstream out;
    for (const auto& b : all) {
        out << ' ' << b.cls << '/' << b.client << '/' << b.tokens << '/' << b.calls << '/'
            << b.refused;
    }
    return out.str();
}

std::string text_of(std::vector<BookExchange::Trouble> all) {
    std::ranges::sort(all, {}, [](const auto& t) { return std::tie(t.model, t.lasts, t.kind); });
    std::ostringstream out;
    for (const auto& t : all) {
        out << ' ' << static_cast<int>(t.kind) << '/' << t.model << '/' << t.lasts / 1us;
    }
    return out.str();
}

/// All fields, one a line.
std::string text_of(const BookAnswer& a) {
    std::ostringstream out;
    out.precision(17);
    out << "seq " << a.seq << "\nbefore " << a.before << "\nnow " << a.now << "\nepoch " << a.epoch
        << "\nyoung " << a.young << "\ninstances " << a.instances << "\nbuckets"
        << text_of(a.buckets) << "\ngranted" << text_of(a.granted) << "\nused" << text_of(a.used)
        << "\nheld" << text_of(a.held) << "\nalone" << text_of(a.alone) << "\nroom in "
        << a.room_in / 1us << "\nturn " << a.turn << "\nlearned";
    for (const auto& l : a.learned) {
        out << ' ' << l.limit << '/' << l.peak << '/' << l.confirmed / 1us;
    }
    out << "\nsettling " << a.settling << "\ncounters";
    for (const auto& c : a.counters) {
        out << ' ' << c.client << '/' << c.amount;
    }
    out << "\nelsewhere" << text_of(a.elsewhere) << "\nclasses" << text_of(a.classes)
        << "\ntroubles" << text_of(a.troubles) << "\nprofile " << a.has_profile;
    for (const auto& l : a.profile) {
        out << ' ' << static_cast<int>(l.book) << '/' << l.bucket << '/' << l.age / 1us << '/'
            << l.amount << '/' << l.settled;
    }
    return out.str();
}

/// A connection that runs the script.
class Script {
public:
    Script(const RedisServer& server, std::string script)
        : client_(server.port()), script_(std::move(script)) {}

    BookAnswer run(const std::string& instance, const BookExchange& asked,
                   const std::vector<std::string>& more = {}) {
        std::vector<std::string> words{"EVAL", script_, "1", "weir:{q}"};
        for (std::string& word : arguments(instance, asked)) {
            words.push_back(std::move(word));
        }
        words.insert(words.end(), more.begin(), more.end());
        std::string bytes;
        append_command(bytes, std::vector<std::string_view>(words.begin(), words.end()));
        client_.send(bytes);
        for (;;) {
            const auto reply = reader_.next();
            if (reply && *reply) {
                const auto answer = answer_of(asked.quota, **reply);
                EXPECT_TRUE(answer.has_value()) << answer.error() << ": " << (*reply)->text;
                return answer.value_or(BookAnswer());
            }
            const std::string more_bytes = client_.receive();
            if (!reply || more_bytes.empty()) {
                ADD_FAILURE() << "no answer from redis-server";
                return {};
            }
            reader_.feed(more_bytes);
        }
    }

private:
    test::Client client_;
    ReplyReader reader_;
    std::string script_;
};

/// What instances might say, more or less sensibly.
class Talk {
public:
    Talk(Dice& dice, Duration window) : dice_(dice), window_(window) {}

    std::pair<std::string, BookExchange> next() {
        const std::string name = "i" + std::to_string(dice_.below(5));
        State& state = states_[name];
        if (state.last.seq > 0 && dice_.one_in(8)) {  // again, or late
            BookExchange again =
                dice_.one_in(2) && state.earlier.seq > 0 ? state.earlier : state.last;
            again.untold = amounts(30);
            return {name, again};
        }
        BookExchange x;
        x.quota = "q";
        x.seq = state.last.seq + 1;
        x.after = dice_.one_in(6) ? dice_.below(x.seq) : state.last.seq;
        x.window = window_;
        x.beat = dice_.one_in(4) ? 1s : 100ms;
        x.limits = {-1, 20'000, dice_.one_in(50) ? 30'000 : -1, dice_.one_in(9) ? 900 : -1};
        x.limits[0] = dice_.one_in(3) ? 40 : -1;
        x.spent = amounts(3);
        x.returned = amounts(8);
        x.untold = amounts(20);
        x.ahead = amounts(3);
        x.alone = amounts(3);
        x.settling = dice_.one_in(3) ? 0 : static_cast<std::int64_t>(dice_.below(5'000));
        x.alone_epoch = dice_.one_in(2) ? state.epoch : 0;
        x.leaves = dice_.one_in(60);
        x.instances = static_cast<std::uint32_t>(1 + dice_.below(dice_.one_in(9) ? 9 : 4));
        x.wants_profile = !x.leaves && dice_.one_in(3);
        for (auto& l : x.learned) {
            l.limit = dice_.one_in(20) ? static_cast<std::int64_t>(dice_.below(900)) : 0;
            l.peak = dice_.one_in(5) ? static_cast<std::int64_t>(dice_.below(900)) : 0;
            l.refused = dice_.one_in(9);
            l.probes = dice_.one_in(2);
        }
        for (const std::size_t b : {0, 1, 2, 3}) {
            const std::int64_t back = static_cast<std::int64_t>(dice_.below(130));
            if (state.buckets[b] > 0 && dice_.one_in(3)) {
                x.corrections.push_back({static_cast<Book>(b), state.buckets[b] + 3 - back,
                                         static_cast<std::int64_t>(dice_.below(900)) - 600,
                                         static_cast<std::int64_t>(dice_.below(300))});
            }
        }
        for (std::uint64_t n = dice_.one_in(2) ? dice_.below(4) : 0; n > 0; --n) {
            x.heads.push_back({static_cast<std::uint32_t>(dice_.below(2)), client(),
                               from_seconds(dice_.uniform() * 3), amounts(1)});
        }
        for (std::uint64_t n = dice_.below(3); n > 0; --n) {
            x.charges.push_back({client(), static_cast<double>(dice_.below(64)) / 16});
        }
        for (const char* c : {"c1", "c2"}) {
            if (dice_.one_in(2)) {
                x.backlog.push_back({static_cast<std::uint32_t>(dice_.below(2)), c,
                                     static_cast<double>(dice_.below(900)) / 2, 3,
                                     dice_.one_in(3) ? 0.5 : 0});
            }
        }
        if (dice_.one_in(8)) {
            using Kind = BookExchange::Trouble::Kind;
            x.troubles.push_back({dice_.one_in(2) ? Kind::breaker : Kind::day, "m",
                                  std::chrono::milliseconds(dice_.below(4'000))});
        }
        state.earlier = std::exchange(state.last, x);
        return {name, x};
    }
    void heard(const std::string& name, const BookAnswer& answer) {
        states_[name].buckets = answer.buckets;
        states_[name].epoch = answer.young ? states_[name].epoch : answer.epoch;
    }

private:
    struct State {
        BookExchange last;
        BookExchange earlier;
        BookAmounts buckets{};
        std::int64_t epoch = 0;
    };
    BookAmounts amounts(std::uint64_t rarely) {
        if (!dice_.one_in(static_cast<std::uint32_t>(rarely))) {
            return {};
        }
        const auto tokens = static_cast<std::int64_t>(dice_.below(dice_.one_in(6) ? 9'000 : 900));
        return {1, tokens, tokens, tokens / 9};
    }
    std::string client() { return "c" + std::to_string(dice_.below(6)); }

    Dice& dice_;
    Duration window_;
    std::map<std::string, State> states_;
};

/// As the script is, but its clock is what is given beside its arguments.
std::string script_with_clock() {
    std::string script = books_script();
    const std::string clock = "call('TIME')";
    const auto at = script.find(clock);
    EXPECT_NE(at, std::string::npos);
    return script.replace(at, clock.size(), "{ARGV[#ARGV - 1], ARGV[#ARGV]}");
}

TEST(BooksScript, SaysWhatTheModelSays) {
    if (server_absent()) {
        GTEST_SKIP() << "no redis-server";
    }
    RedisServer server;
    const std::uint64_t base = weir::test::seed_for("books script", 1);
    for (std::uint64_t seed = base; seed < base + 4; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Dice dice(seed);
        const Duration window = seed % 2 == 0 ? Duration(1200ms) : Duration(60s);
        server.command({"FLUSHALL"});
        Script script(server, script_with_clock());
        BookModel model;
        Talk talk(dice, window);
        std::int64_t now = 1'700'000'000'000'000;
        for (int i = 0; i < 1'500; ++i) {
            // Mostly within a beat; now and then a lease ends, somebody is dead, all are forgotten.
            now += static_cast<std::int64_t>(dice.below(60'000));
            now += dice.one_in(60) ? static_cast<std::int64_t>(dice.below(3'000'000)) : 0;
            now += dice.one_in(300) ? static_cast<std::int64_t>(dice.below(40'000'000)) : 0;
            now += dice.one_in(900) ? 700'000'000 : 0;
            if (dice.one_in(400)) {
                server.command({"FLUSHALL"});
                model = BookModel();
            }
            const auto [name, asked] = talk.next();
            const BookAnswer answer = script.run(
                name, asked, {std::to_string(now / 1'000'000), std::to_string(now % 1'000'000)});
            ASSERT_EQ(text_of(answer), text_of(model.exchange(name, asked, now)))
                << "exchange " << i << " of " << name;
            talk.heard(name, answer);
        }
    }
}

TEST(BooksScript, CountsByTheServersClock) {
    if (server_absent()) {
        GTEST_SKIP() << "no redis-server";
    }
    RedisServer server;
    Dice dice(weir::test::seed_for("books script's clock", 1));
    Script script(server, books_script());
    BookModel model;
    Talk talk(dice, 1200ms);
    for (int i = 0; i < 400; ++i) {
        const auto [name, asked] = talk.next();
        const BookAnswer answer = script.run(name, asked);
        ASSERT_EQ(text_of(answer), text_of(model.exchange(name, asked, answer.now)))
            << "exchange " << i << " of " << name;
        talk.heard(name, answer);
        std::this_thread::sleep_for(10ms);
    }
}

TEST(BooksScript, ComesBackWhenTheServerHasForgottenIt) {
    if (server_absent()) {
        GTEST_SKIP() << "no redis-server";
    }
    RedisServer server;
    test::Rig rig(server.url(), books_script());
    BookExchange asked;
    asked.quota = "q";
    asked.window = 60s;
    asked.beat = 100ms;
    asked.limits = {10, 1'000, -1, -1};
    for (const std::uint64_t seq : {1, 2, 3}) {
        asked.seq = seq;
        asked.spent[1] = 100;
        const auto answer = answer_of("q", rig.must("weir:{q}", arguments("i", asked)));
        ASSERT_TRUE(answer.has_value()) << answer.error();
        EXPECT_EQ(answer->used[1], static_cast<std::int64_t>(100 * seq));
        server.command({"SCRIPT", "FLUSH"});
    }
    asked.seq = 4;
    server.command({"FLUSHALL"});
    const auto answer = answer_of("q", rig.must("weir:{q}", arguments("i", asked)));
    ASSERT_TRUE(answer.has_value()) << answer.error();
    EXPECT_EQ(answer->before, 0u);
    EXPECT_TRUE(answer->young);
}

}  // namespace
}  // namespace weir::shared
