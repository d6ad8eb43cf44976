// What is read from GET /status, and the verdict on it.
#include "cli/gateway_view.h"
#include "cli/status_command.h"
#include "cli/top_view.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <string>

namespace weir::cli {
namespace {

using nlohmann::json;

json limit(const char* kind, json most, std::uint64_t used) {
    return {{"kind", kind}, {"limit", most}, {"used", used}, {"reserved", 0}, {"learned", false}};
}

json target(const char* region, const char* model) {
    return {{"account", "default"},
            {"region", region},
            {"model", model},
            {"endpoint", "runtime"},
            {"tier", nullptr},
            {"breaker", "closed"},
            {"in_flight", 0},
            {"daily_closed", false},
            {"misconfigured", false},
            {"limits", json::array({limit("requests", 200, 20), limit("tokens", 200'000, 50'000)})},
            {"mean_service_seconds", 1.5}};
}

json status(json targets) {
    return {{"version", "0.1.0"},
            {"configuration", {{"hash", "abc"}, {"needs_restart", json::array({"listen"})}}},
            {"waiting_calls", 34},
            {"waiting_bytes", 1200},
            {"in_flight", 12},
            {"targets", std::move(targets)},
            {"clients", json::array({{{"name", "a"}, {"waiting", 0}, {"limits", json::array()}},
                                     {{"name", "b"},
                                      {"waiting", 9},
                                      {"limits", json::array({limit("requests", 60, 60)})}}})},
            {"waiting", json::array({{{"model", "m"}, {"priority", "batch"}, {"calls", 34}}})},
            {"shared", json::array()}};
}

GatewayView view(const json& status, bool draining = false) {
    return view_of(status.dump(), draining).value();
}

bool says(const GatewayView& view, std::string_view reason) {
    return std::ranges::any_of(view.reasons, [&](const Reason& one) {
        return to_string(one).find(reason) != std::string::npos;
    });
}

TEST(GatewayView, AHealthyGateway) {
    const auto v = view(status({target("us-east-1", "m"), target("us-west-2", "m")}));
    EXPECT_EQ(v.health, Health::healthy);
    EXPECT_TRUE(v.reasons.empty());
    EXPECT_EQ(v.version, "0.1.0");
    EXPECT_EQ(v.in_flight, 12U);
    EXPECT_EQ(v.waiting_calls, 34U);
    ASSERT_EQ(v.targets.size(), 2U);
    EXPECT_EQ(v.targets[0].name(), "us-east-1/m");
    EXPECT_EQ(v.targets[0].state, "ok");
    EXPECT_DOUBLE_EQ(v.targets[0].limit("tokens")->share(), 0.25);
    EXPECT_EQ(v.clients.front().name, "b") << "who waits most comes first";
    EXPECT_EQ(v.waiting.front().priority, "batch");
    EXPECT_TRUE(v.store.mode.empty());
}

TEST(GatewayView, WithoutTargetsItIsHealthy) {
    EXPECT_EQ(view(status(json::array())).health, Health::healthy);
}

TEST(GatewayView, OneOpenBreakerDegradesAllOpenIsDown) {
    json open = target("us-east-1", "m");
    open["breaker"] = "open";
    const auto v = view(status({target("us-west-2", "m"), open}));
    EXPECT_EQ(v.health, Health::degraded);
    EXPECT_EQ(v.targets.front().region, "us-east-1") << "the worst comes first";
    EXPECT_EQ(v.targets.front().state, "open");
    EXPECT_FALSE(v.targets.front().usable());
    EXPECT_TRUE(says(v, "us-east-1/m: the breaker is open"));
    EXPECT_EQ(view(status(json::array({open}))).health, Health::down);
}

TEST(GatewayView, EachTroubleHasItsNameAndRank) {
    json half = target("r1", "m");
    half["breaker"] = "half-open";
    json day = target("r2", "m");
    day["daily_closed"] = true;
    json misfit = target("r3", "m");
    misfit["misconfigured"] = true;
    misfit["misconfigured_because"] = {
        {"error", "AccessDeniedException"}, {"client", "app"}, {"for_all_clients", false}};
    json full = target("r4", "m");
    full["limits"] = json::array({limit("tokens", 1000, 999)});
    json closed = target("r5", "m");
    closed["held"] = {{"state", "closed"}, {"by", "operator"}, {"reason", "a drill"}};
    json drained = target("r6", "m");
    drained["held"] = {{"state", "drain"}, {"by", "operator"}, {"reason", "a drill"}};
    json forced = target("r7", "m");
    forced["breaker"] = "open";
    forced["held"] = {{"state", "open"}, {"by", "operator"}, {"reason", "we know better"}};
    const auto v =
        view(status({half, day, misfit, full, closed, drained, forced, target("r8", "m")}));
    std::vector<std::string> states;
    for (const TargetView& one : v.targets) {
        states.push_back(one.state);
    }
    EXPECT_EQ(states, (std::vector<std::string>{"closed", "misfit", "day", "drain", "half-open",
                                                "full", "ok", "ok"}));
    EXPECT_TRUE(says(v, "r5/m: closed by operator: a drill"));
    EXPECT_TRUE(says(v, "r3/m: it refuses calls: AccessDeniedException (client app)"));
    EXPECT_FALSE(says(v, "r4/m")) << "a full quota is what weir is for";
    EXPECT_EQ(v.health, Health::degraded);
}

TEST(GatewayView, ALostStoreDegradesADrainIsDown) {
    json shared = status({target("r", "m")});
    shared["shared"] = json::array({{{"quota", "q"}, {"mode", "joined"}, {"instances", 3}}});
    EXPECT_EQ(view(shared).health, Health::healthy);
    EXPECT_EQ(view(shared).store.instances, 3U);
    shared["shared"].push_back({{"quota", "p"}, {"mode", "alone"}, {"instances", 3}});
    EXPECT_EQ(view(shared).health, Health::degraded);
    EXPECT_EQ(view(shared).store.mode, "alone");
    EXPECT_EQ(view(status({target("r", "m")}), true).health, Health::down);
}

TEST(GatewayView, OddAnswersAreNone) {
    for (const char* text : {"", "[]", "no json", "{}", R"({"targets": 3})"}) {
        EXPECT_FALSE(view_of(text, false)) << text;
    }
    const auto v = view_of(R"({"targets": [{}, {"limits": [{"used": -3, "limit": "x"}]}],
                             "clients": 7, "in_flight": 1e300, "configuration": []})",
                           false);
    ASSERT_TRUE(v);
    EXPECT_EQ(v->targets.size(), 2U);
    EXPECT_EQ(v->in_flight, 0U);
}

TEST(GatewayView, NamesTellTargetsApart) {
    json one = target("us-east-1", "m");
    one["account"] = "prod";
    one["endpoint"] = "mantle";
    one["tier"] = "flex";
    EXPECT_EQ(view(status(json::array({one}))).targets[0].name(), "prod/us-east-1/mantle/m (flex)");
}

TEST(Status, TextBeginsWithTheVerdictAndItsReasons) {
    json open = target("us-east-1", "m");
    open["breaker"] = "open";
    GatewayReading reading;
    reading.view = view(status({open, target("us-west-2", "m")}));
    const std::string text = status_text(reading);
    EXPECT_TRUE(
        text.starts_with("degraded: weir 0.1.0, 12 calls in flight, 34 waiting (1,200 "
                         "bytes)\n  us-east-1/m: the breaker is open\n  a restart is needed "
                         "for listen\n"))
        << text;
    EXPECT_NE(text.find("us-west-2/m  ok     0          20 of 200     50,000 of 200,000\n"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("b       9        requests 60 of 60  -\n"), std::string::npos) << text;
    EXPECT_NE(text.find("m            batch     34\n"), std::string::npos) << text;
}

TEST(Status, JsonHasTheVerdictAndTheWholeStatus) {
    GatewayReading reading;
    reading.status = status({target("us-east-1", "m")}).dump();
    reading.view = view_of(reading.status, false);
    auto out = json::parse(status_json_text(reading));
    EXPECT_EQ(out["health"], "healthy");
    EXPECT_EQ(out["exit_code"], 0);
    EXPECT_EQ(out["status"]["in_flight"], 12);
    GatewayReading none;
    none.error = "connection refused";
    out = json::parse(status_json_text(none));
    EXPECT_EQ(out["exit_code"], 2);
    EXPECT_EQ(out["reasons"][0], "connection refused");
    EXPECT_TRUE(out["status"].is_null());
    EXPECT_EQ(status_text(none), "down: connection refused\n");
}

/// The lines of `weir top` as text.
std::vector<std::string> screen(const TopNews& news, const TopState& state, ScreenSize size,
                                bool unicode = false) {
    std::vector<std::string> lines;
    for (const Line& line : top_lines(news, state, size, unicode)) {
        lines.emplace_back();
        for (const Span& span : line) {
            lines.back() += span.text;
        }
    }
    return lines;
}

TopNews news_of(const GatewayView& view) {
    TopNews news;
    news.view = &view;
    news.clock = "20:00:00Z";
    return news;
}

GatewayView many(int targets) {
    json all = json::array();
    for (int i = 0; i < targets; ++i) {
        all.push_back(target(("region-" + std::to_string(i)).c_str(),
                             "us.anthropic.claude-sonnet-4-5-20250929-v1:0"));
    }
    return view(status(std::move(all)));
}

TEST(Top, FillsTheScreenAndNeverMore) {
    const GatewayView v = many(50);
    for (const std::size_t width : {0, 1, 20, 79, 80, 120, 300}) {
        for (const std::size_t height : {0, 1, 2, 5, 24, 100}) {
            for (const bool clients : {false, true}) {
                TopState state;
                state.page = clients ? TopPage::clients : TopPage::targets;
                const auto lines = screen(news_of(v), state, {width, height});
                EXPECT_EQ(lines.size(), height);
                for (const std::string& line : lines) {
                    EXPECT_LE(line.size(), width) << line;
                }
            }
        }
    }
}

TEST(Top, ShowsAllOfATargetIn80Columns) {
    json open = target("us-east-1", "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
    open["breaker"] = "open";
    open["in_flight"] = 7;
    const GatewayView v = view(status({target("us-west-2", "m"), open}));
    const auto lines = screen(news_of(v), {}, {80, 24});
    EXPECT_TRUE(lines[0].starts_with("weir 0.1.0  12 calls in flight  34 waiting (1.2kB)"));
    EXPECT_TRUE(lines[1].starts_with(
        "DEGRADED  us-east-1/us.anthropic.claude-sonnet-4-5: the breaker is open"))
        << lines[1];
    EXPECT_TRUE(lines[3].starts_with("TARGET"));
    EXPECT_TRUE(lines[4].starts_with("us-east-1/us")) << lines[4];
    EXPECT_NE(lines[4].find("open"), std::string::npos);
    EXPECT_NE(lines[4].find("20/200"), std::string::npos) << lines[4];
    EXPECT_NE(lines[4].find("50.0k/200.0k"), std::string::npos) << lines[4];
    EXPECT_NE(lines[4].find("25%"), std::string::npos) << lines[4];
    EXPECT_TRUE(lines[5].starts_with("us-west-2/m ")) << lines[5];
    EXPECT_TRUE(lines[23].starts_with("q quit  s sort: trouble  Tab clients")) << lines[23];
    const auto title = lines[3].find("TOKENS/MIN");
    EXPECT_EQ(lines[4].find("50.0k/200.0k") + 12, title + 10) << "columns end together";
}

TEST(Top, ModelsCanBeToldApartIn80Columns) {
    json targets = json::array();
    for (const char* model : {"sonnet-4-5-20250929", "opus-4-5-20251101", "haiku-4-5-20251001"}) {
        targets.push_back(
            target("us-east-1", ("us.anthropic.claude-" + std::string(model) + "-v1:0").c_str()));
    }
    const auto lines = screen(news_of(view(status(targets))), {}, {80, 24});
    std::set<std::string> names;
    for (std::size_t i = 4; i < 7; ++i) {
        names.insert(lines[i].substr(0, lines[i].find(' ')));
    }
    EXPECT_EQ(names.size(), 3U) << *names.begin();
}

TEST(GatewayView, TargetsThatNobodyHasCalledMayServe) {
    json closed = target("us-west-2", "m");
    closed["held"] = {{"state", "closed"}, {"by", "operator"}, {"seconds_left", 60}};
    json s = status(json::array({closed}));
    EXPECT_EQ(view(s).health, Health::down);
    s["unused"] = json::array({target("us-east-1", "n")});
    EXPECT_EQ(view(s).health, Health::degraded);
    s["unused"][0]["held"] = {{"state", "closed"}};
    EXPECT_EQ(view(s).health, Health::down) << "it is closed as well";
}

TEST(GatewayView, TargetsThatNobodyHasCalledAreHeldToo) {
    json s = status(json::array());
    s["unused"] = json::array({target("us-east-1", "n"), target("us-west-2", "n")});
    EXPECT_EQ(view(s).health, Health::healthy);
    s["unused"][0]["held"] = {{"state", "closed"}, {"by", "operator"}, {"reason", ""}};
    EXPECT_EQ(view(s).health, Health::degraded);
    EXPECT_TRUE(says(view(s), "us-east-1/n: closed by operator")) << "no reason was given";
    s["unused"][1]["held"] = s["unused"][0]["held"];
    EXPECT_EQ(view(s).health, Health::down);
}

TEST(GatewayView, OrdersThatRefuseCallsAreReasons) {
    json s = status(json::array({target("us-east-1", "m")}));
    s["paused"] = json::array({{{"client", "etl"}, {"by", "ann"}, {"reason", "too many"}}});
    EXPECT_EQ(view(s).health, Health::degraded);
    EXPECT_TRUE(says(view(s), "client etl is paused by ann: too many"));
    s["shedding"] = json::array({{{"priority", "batch"}, {"by", "ann"}, {"reason", ""}}});
    EXPECT_EQ(view(s).health, Health::degraded);
    EXPECT_TRUE(says(view(s), "calls of the class batch and lower are refused, by ann"));
    s["shedding"][0]["priority"] = "interactive";
    EXPECT_EQ(view(s).health, Health::down);
    EXPECT_TRUE(says(view(s), "all calls are refused, by ann"));
}

TEST(Top, BarsGrowWithTheWidthAndTheUse) {
    json half = target("r", "m");
    half["limits"] = json::array({limit("tokens", 100, 50)});
    const GatewayView v = view(status(json::array({half})));
    const auto filled = [&](std::size_t width) {
        const auto lines = screen(news_of(v), {}, {width, 10});
        return std::ranges::count(lines[4], '#');
    };
    EXPECT_GT(filled(160), filled(80));
    EXPECT_EQ(filled(300), 15) << "half of 30";
    const auto unicode = screen(news_of(v), {}, {300, 10}, true);
    EXPECT_NE(unicode[4].find("\u2588\u2591"), std::string::npos);
}

TEST(Top, ScrollsWithinWhatThereIs) {
    const GatewayView v = many(50);
    const ScreenSize size{80, 24};
    const std::size_t rows = rows_of(v, {});
    const std::size_t room = room_for_rows(v, size);
    EXPECT_EQ(rows, 50U);
    EXPECT_EQ(room, 19U);
    TopState state;
    EXPECT_NE(screen(news_of(v), state, size).back().find("0 above, 31 below"), std::string::npos);
    state = pressed(state, TopKey::up, rows, room);
    EXPECT_EQ(state.scroll, 0U);
    state = pressed(state, TopKey::down, rows, room);
    EXPECT_EQ(state.scroll, 1U);
    EXPECT_NE(screen(news_of(v), state, size).back().find("1 above, 30 below"), std::string::npos);
    for (int i = 0; i < 10; ++i) {
        state = pressed(state, TopKey::page_down, rows, room);
    }
    EXPECT_EQ(state.scroll, 31U);
    EXPECT_NE(screen(news_of(v), state, size).back().find("31 above, 0 below"), std::string::npos);
    EXPECT_EQ(pressed(state, TopKey::page_up, rows, room).scroll, 12U);
    EXPECT_EQ(pressed(state, TopKey::home, rows, room).scroll, 0U);
    EXPECT_EQ(pressed(state, TopKey::other, 5, room).scroll, 0U) << "there are fewer now";
}

TEST(Top, KeysChangeTheOrderThePageAndTheEnd) {
    json busy = target("z", "m");
    busy["in_flight"] = 9;
    json open = target("y", "m");
    open["breaker"] = "open";
    const GatewayView v = view(status({target("a", "m"), busy, open}));
    TopState state;
    const auto first = [&] { return screen(news_of(v), state, {80, 24})[4].substr(0, 4); };
    EXPECT_EQ(first(), "y/m ");
    state = pressed(state, TopKey::sort, 3, 10);
    EXPECT_EQ(first(), "a/m ");
    state = pressed(state, TopKey::sort, 3, 10);
    EXPECT_EQ(first(), "z/m ");
    state = pressed(state, TopKey::sort, 3, 10);
    EXPECT_EQ(state.sort, TopSort::trouble);
    state = pressed(state, TopKey::page, 3, 10);
    EXPECT_EQ(first(), "b   ");
    EXPECT_NE(screen(news_of(v), state, {80, 24})[4].find("requests 60/60"), std::string::npos);
    EXPECT_TRUE(pressed(state, TopKey::quit, 3, 10).quit);
}

TEST(Top, SaysThatNobodyAnswersAndKeepsWhatItKnew) {
    TopNews news;
    news.url = "http://127.0.0.1:7071";
    EXPECT_TRUE(screen(news, {}, {80, 24})[1].starts_with("asking"));
    news.error = "http://127.0.0.1:7071/status: connection refused";
    EXPECT_TRUE(screen(news, {}, {80, 24})[1].starts_with("DOWN  http://127.0.0.1:7071"));
    const GatewayView v = many(1);
    news.view = &v;
    EXPECT_TRUE(screen(news, {}, {80, 24})[1].starts_with("DOWN"));
    EXPECT_TRUE(screen(news, {}, {80, 24})[4].starts_with("region-0/us"));
}

TEST(Top, NothingThatAClientNamesItselfReachesTheTerminal) {
    json s = status(json::array({target("r\x1b[2J", "m\xc3\xa9\x9f")}));
    s["clients"] = json::array({{{"name", "\x1b]0;owned\x07"}, {"waiting", 1}}});
    const auto v = view_of(s.dump(-1, ' ', false, json::error_handler_t::replace), false).value();
    for (const TopPage page : {TopPage::targets, TopPage::clients}) {
        TopState state;
        state.page = page;
        for (const std::string& line : screen(news_of(v), state, {80, 24})) {
            for (const char c : line) {
                EXPECT_TRUE(c >= 0x20 && c < 0x7f) << line;
            }
        }
    }
}

TEST(Top, FiguresAndNamesAreShortened) {
    EXPECT_EQ(short_figure(950), "950");
    EXPECT_EQ(short_figure(12'340), "12.3k");
    EXPECT_EQ(short_figure(999'960), "1.0M");
    EXPECT_EQ(short_figure(2'000'000), "2.0M");
    EXPECT_EQ(fitted("abc", 3), "abc");
    EXPECT_EQ(fitted("abcdefghij", 6), "ab..ij");
    EXPECT_EQ(fitted("abcdefghij", 2), "ab");
    EXPECT_EQ(short_name("us-east-1/us.anthropic.claude-sonnet-4-5-20250929-v1:0", 41),
              "us-east-1/us.anthropic.claude-sonnet-4-5");
    EXPECT_EQ(short_name("r/m-20250929-v1:0 (flex)", 12), "r/m (flex)");
    EXPECT_EQ(short_name("r/m-20250929-v1:0", 40), "r/m-20250929-v1:0");
    EXPECT_EQ(clean("a\tb\xc3\xa9"), "a?b?");
}

}  // namespace
}  // namespace weir::cli
