// What a reload does with each setting: the table, the struct, the printed configuration and the
// documentation name the same ones.
#include "gateway/settings.h"

#include "cli/config_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace weir::gateway {
namespace {

std::set<std::string> table() {
    std::set<std::string> paths;
    for (const Setting& setting : settings()) {
        paths.emplace(setting.path);
    }
    return paths;
}

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
    const std::set<std::string> sections{"queue", "retry",  "breaker", "timeouts",
                                         "pool",  "limits", "log",     "tls"};
    const std::regex key("^( {2})?(?:# )?([a-z_0-9]+):.*");
    std::set<std::string> printed;
    std::istringstream lines(cli::print_config(sample()));
    std::string section;
    for (std::string line; std::getline(lines, line);) {
        std::smatch found;
        if (!std::regex_match(line, found, key)) {
            continue;
        }
        if (!found[1].matched) {
            section = found[2];
        }
        if (!found[1].matched && (section == "tls" || !sections.contains(section))) {
            printed.insert(section);
        } else if (found[1].matched && sections.contains(section)) {
            printed.insert(section + "." + found[2].str());
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
    const std::regex row(R"(^\| (at once|new connections|restart) \| (.*?) \|.*)");
    const std::regex name("`([a-z_0-9.]+)`");
    for (std::string line; std::getline(page, line);) {
        std::smatch found;
        if (!std::regex_match(line, found, row)) {
            continue;
        }
        const std::string names = found[2];
        for (std::sregex_iterator at(names.begin(), names.end(), name), end; at != end; ++at) {
            EXPECT_TRUE(shown.emplace((*at)[1], words.at(found[1])).second) << (*at)[1];
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
    next.log.format = "json";
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
