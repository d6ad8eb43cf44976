// What a reload does with each setting: the table, the struct, the printed configuration and the
// documentation name the same ones.
#include "gateway/settings.h"

#include "cli/config_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace weir::gateway {
namespace {

std::set<std::string> table() {
    std::set<std::string> paths;
    for (const Setting& setting : settings()) {
        paths.emplace(setting.path);
    }
    return paths;
}

constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyz_0123456789.";

Config sample() {
    Config config;
    config.regions["us-east-1"] = {};
    config.tls = TlsConfig{"a.pem", "a.key"};
    return config;
}

TEST(Settings, TheTableHasEveryMemberOfConfig) {
    std::set<std::string> members;
    for (const auto& [path, value] : values_of(sample())) {
        EXPECT_TRUE(members.insert(path).second) << path;
    }
    EXPECT_EQ(members, table());
    EXPECT_EQ(values_of(sample()).size(), settings().size());
}

TEST(Settings, TheTableHasEveryKeyOfTheFile) {
    const std::set<std::string> sections{"queue", "retry", "breaker", "timeouts", "pool", "limits",
                                         "log",   "tls",   "explain", "costs",    "otlp"};
    std::set<std::string> printed;
    std::istringstream lines(cli::print_config(sample()));
    std::string section;
    for (std::string line; std::getline(lines, line);) {
        std::string_view rest = line;
        const bool inner = rest.starts_with("  ");
        rest.remove_prefix(inner ? 2 : 0);
        rest.remove_prefix(rest.starts_with("# ") ? 2 : 0);
        const auto end = rest.find_first_not_of(kNameLetters);
        if (end == 0 || end == std::string_view::npos || rest[end] != ':') {
            continue;
        }
        const std::string key(rest.substr(0, end));
        if (!inner) {
            section = key;
        }
        if (!inner && (section == "tls" || !sections.contains(section))) {
            printed.insert(section);
        } else if (inner && sections.contains(section)) {
            printed.insert(section + "." + key);
        }
    }
    EXPECT_EQ(printed, table());
}

TEST(Settings, TheDocumentationShowsTheSameTable) {
    const std::map<std::string, Effect> words{{"at once", Effect::at_once},
                                              {"new connections", Effect::new_connections},
                                              {"restart", Effect::restart}};
    std::ifstream page(WEIR_SOURCE_DIR "/docs/operations.md");
    std::map<std::string, Effect> shown;
    for (std::string line; std::getline(page, line);) {
        for (const auto& [word, effect] : words) {
            const std::string start = "| " + word + " | ";
            if (!line.starts_with(start)) {
                continue;
            }
            std::istringstream names(
                line.substr(start.size(), line.find(" |", start.size()) - start.size()));
            std::string text;
            for (std::string name;
                 std::getline(names, text, '`') && std::getline(names, name, '`');) {
                EXPECT_TRUE(shown.emplace(name, effect).second) << name;
            }
        }
    }
    for (const Setting& setting : settings()) {
        const auto found = shown.find(std::string(setting.path));
        ASSERT_NE(found, shown.end()) << setting.path << " is not in docs/operations.md";
        EXPECT_EQ(found->second, setting.effect) << setting.path;
    }
    EXPECT_EQ(shown.size(), settings().size());
}

TEST(Settings, AReloadTakesOverWhatItCanAndNamesTheRest) {
    const Config old = sample();
    Config next = old;
    next.queue.max_wait = std::chrono::seconds(1);
    next.timeouts.connect = std::chrono::seconds(1);
    next.workers = 7;
    next.listen = {"127.0.0.1:1"};
    next.log.format = "json";
    next.tls->key = "b.key";
    const auto changes = take_over(old, next);
    EXPECT_EQ(changes.applied,
              (std::vector<std::string>{"tls.key (new connections)", "queue.max_wait",
                                        "timeouts.connect (new connections)"}));
    EXPECT_EQ(changes.restart, (std::vector<std::string>{"listen", "workers", "log.format"}));
    EXPECT_EQ(next.workers, old.workers);
    EXPECT_EQ(next.listen, old.listen);
    EXPECT_EQ(next.log.format, old.log.format);
    EXPECT_EQ(next.tls->key, "b.key");
    EXPECT_EQ(next.queue.max_wait, std::chrono::seconds(1));
    EXPECT_TRUE(take_over(next, next).applied.empty());
}

// Every row that says "restart" is put back: otherwise the gateway would run on a value that it
// does not follow.
TEST(Settings, WhatNeedsARestartKeepsItsValue) {
    const Config old = sample();
    Config next;
    next.listen = {"127.0.0.1:1"};
    next.admin = "127.0.0.1:2";
    next.workers = 7;
    next.state_file = "state.json";
    next.costs.file = "costs.json";
    next.watch = true;
    next.log.format = "json";
    next.explain = {.memory = 1, .requests = 1};
    next.shared.emplace().url = "redis://cache";
    const auto changes = take_over(old, next);
    std::vector<std::string> restart;
    const auto before = values_of(old);
    const auto after = values_of(next);
    for (std::size_t i = 0; i < settings().size(); ++i) {
        if (settings()[i].effect == Effect::restart) {
            restart.emplace_back(settings()[i].path);
            EXPECT_EQ(before[i].second, after[i].second) << settings()[i].path;
        }
    }
    EXPECT_EQ(changes.restart, restart);
}

TEST(Settings, TlsIsTurnedOnAndOffByARestart) {
    const Config with = sample();
    Config without = with;
    without.tls.reset();
    EXPECT_EQ(take_over(with, without).restart, std::vector<std::string>{"tls"});
    EXPECT_TRUE(without.tls);
    Config plain = with;
    plain.tls.reset();
    Config secured = with;
    EXPECT_EQ(take_over(plain, secured).restart, std::vector<std::string>{"tls"});
    EXPECT_FALSE(secured.tls);
}

TEST(Settings, TheHashTellsConfigurationsApart) {
    const Config config = sample();
    EXPECT_EQ(hash_of(config), hash_of(sample()));
    EXPECT_EQ(hash_of(config).size(), 12U);
    std::set<std::string> seen{hash_of(config)};
    const auto differs = [&](auto change) {
        Config other = config;
        change(other);
        EXPECT_TRUE(seen.insert(hash_of(other)).second);
    };
    differs([](Config& c) { c.listen = {"127.0.0.1", ":7070"}; });
    differs([](Config& c) { c.quotas.emplace_back().models = {"a", "b"}; });
    differs([](Config& c) { c.quotas.emplace_back().models = {"ab"}; });
    differs([](Config& c) { c.regions["us-east-1"].ca = "x"; });
    differs([](Config& c) { c.regions["us-east-1"].proxy = "x"; });
    differs([](Config& c) { c.credentials.secret_access_key = "x"; });
    differs([](Config& c) { c.clients.emplace_back().name = "a"; });
    differs([](Config& c) { c.timeouts.interim_100 = std::chrono::seconds(5); });
}

}  // namespace
}  // namespace weir::gateway
