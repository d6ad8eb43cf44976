// What a weir.yaml means.

#include "config_support.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace weir::cli {
namespace {

using namespace std::chrono_literals;

Config good(const std::string& text, std::map<std::string, std::string> variables = {}) {
    LoadedConfig loaded = parse(text, std::move(variables));
    for (const Complaint& complaint : loaded.complaints)
        ADD_FAILURE() << to_string(complaint);
    return std::move(loaded.config);
}

// The page's own example, every key of it.
constexpr const char* kWhole = R"(
listen: [127.0.0.1:7070, "[::1]:7070"]
admin: 127.0.0.1:7071
admin_key_sha256: 9F86D081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
admin_open: [metrics, /healthz]
allowed_hosts: [weir.internal]
workers: 2
tls: {certificate: server.pem, key: server.key}
shared: {url: "rediss://cache:6380", prefix: app, ca: ca.pem, cluster: true}
regions:
  us-east-1: {}
  us-west-2: {endpoint: "http://127.0.0.1:9002", mantle_endpoint: "http://127.0.0.1:9003", ca: ca.pem, proxy: "http://proxy:3128",
              credentials: {source: static, access_key_id: AKID, secret_access_key: hush}}
default_region: us-east-1
credentials: {source: default, profile: work}
accounts: {prod: {role_arn: "arn:aws:iam::1:role/weir", external_id: e, session_name: me, profile: p}}
quota_window: 60s
quota_share: 0.5
aliases: {"arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc": us.big}
quotas:
  - model: "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    region: us-east-1
    account: prod
    requests_per_minute: 200
    tokens_per_minute: 200000
    tokens_per_day: 144000000
    output_burndown: 5
    reserve_burndown: true
  - models: [us.a, us.b]
    tokens_per_minute: 7
  - {model: big, endpoint: mantle, input_tokens_per_minute: 20, output_tokens_per_minute: 4}
  - {model: us.big, tier: reserved, input_tokens_per_minute: 10}
routes:
  - model: us.big
    targets:
      - {region: us-east-1}
      - {region: us-west-2}
      - {region: us-east-1, model: us.small, tier: flex}
      - {region: us-west-2, endpoint: mantle, path: /openai/v1,
         profiles: {"arn:aws:bedrock:us-east-1:1:inference-profile/p": big}}
      - {region: us-west-2, tier: reserved, guardrails: {gr-a: gr-b}}
    spill_after: 3s
    degrade_after: 11s
    residency: us
    right_size: false
clients:
  - {name: chat, key_sha256: "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
     priority: interactive, share: 3}
  - {name: sdk, access_key_id: WEIRABC, secret_access_key: hush,
     key_sha256: "2222222222222222222222222222222222222222222222222222222222222222"}
  - {name: etl, key_sha256: "1111111111111111111111111111111111111111111111111111111111111111",
     priority: batch, share: 1, tokens_per_minute: 50000, requests_per_minute: 100,
     models: ["us.anthropic.*"], regions: [us-east-1]}
queue: {deadline: 50s, max_wait: 40s, max_waiting: 100, order: fifo}
retry: {preset: article, max_attempts: 7, base_delay: 60ms, max_delay: 6s, jitter: none,
        budget: 0.3, repeat_timeouts: true}
breaker: {preset: article, failures: 6, failure_share: 0.6, window: 11s, open_for: 6s,
          max_open: 31s, probes: 4}
timeouts: {connect: 6s, first_event: 301s, idle: 302s, answer: 1h, client_head: 11s,
           client_idle: 76s, drain_delay: 6s, drain: 31s, interim_100: 45s}
pool: {max_connections: 4097, idle: 301s, keepalive: 46s}
limits: {max_body: 33MiB, max_buffered: 2GiB, max_connections: 20001, max_header: 65KiB}
log: {level: warn, format: json}
)";

TEST(ConfigFile, EveryKeyArrives) {
    const Config c = good(kWhole);
    EXPECT_EQ(c.listen, (std::vector<std::string>{"127.0.0.1:7070", "[::1]:7070"}));
    EXPECT_EQ(c.admin_key_sha256.substr(0, 8), "9f86d081");
    EXPECT_EQ(c.admin_open, (std::vector<std::string>{"metrics", "healthz"}));
    EXPECT_EQ(c.allowed_hosts, (std::vector<std::string>{"weir.internal"}));
    EXPECT_EQ(c.workers, 2U);
    EXPECT_EQ(c.tls->certificate + c.tls->key, "server.pemserver.key");
    EXPECT_EQ(c.shared->url, "rediss://cache:6380");
    EXPECT_EQ(c.shared->prefix + c.shared->ca, "appca.pem");
    EXPECT_TRUE(c.shared->cluster);
    const auto files = parse(kWhole).files;
    EXPECT_EQ(std::ranges::count(files, "ca.pem"), 2) << "the Region's and the store's";
    ASSERT_EQ(c.regions.size(), 2U);
    const RegionConfig& west = c.regions.at("us-west-2");
    EXPECT_EQ(west.endpoint, "http://127.0.0.1:9002");
    EXPECT_EQ(west.ca + west.proxy, "ca.pemhttp://proxy:3128");
    ASSERT_TRUE(west.credentials.has_value());
    EXPECT_EQ(west.credentials->source, CredentialsSource::static_keys);
    EXPECT_EQ(west.credentials->secret_access_key, "hush");
    EXPECT_FALSE(c.regions.at("us-east-1").credentials.has_value());
    EXPECT_EQ(c.credentials.profile, "work");
    const AccountConfig& prod = c.accounts.at("prod");
    EXPECT_EQ(prod.role_arn + prod.external_id + prod.session_name + prod.profile,
              "arn:aws:iam::1:role/weiremep");
    EXPECT_EQ(c.quotas[0].account, "prod");
    EXPECT_EQ(c.quota_share, 0.5);
    EXPECT_EQ(west.mantle_endpoint, "http://127.0.0.1:9003");
    ASSERT_EQ(c.quotas.size(), 4U);
    EXPECT_EQ(c.quotas[2].endpoint, Endpoint::mantle);
    EXPECT_EQ(c.quotas[2].input_tokens_per_minute, 20U);
    EXPECT_EQ(c.quotas[2].output_tokens_per_minute, 4U);
    EXPECT_TRUE(c.quotas[3].reserved);
    EXPECT_EQ(c.quotas[0].models, std::vector<std::string>{"us.big"}) << "aliases are resolved";
    EXPECT_EQ(c.quotas[0].region, "us-east-1");
    EXPECT_EQ(c.quotas[0].requests_per_minute, 200U);
    EXPECT_EQ(c.quotas[0].tokens_per_minute, 200'000U);
    EXPECT_EQ(c.quotas[0].tokens_per_day, 144'000'000U);
    EXPECT_EQ(c.quotas[0].output_burndown, 5U);
    EXPECT_TRUE(c.quotas[0].reserve_burndown);
    EXPECT_EQ(c.quotas[1].models, (std::vector<std::string>{"us.a", "us.b"}));
    EXPECT_FALSE(c.quotas[1].requests_per_minute.has_value());
    ASSERT_EQ(c.routes.size(), 1U);
    ASSERT_EQ(c.routes[0].targets.size(), 5U);
    EXPECT_EQ(c.routes[0].targets[2].tier, Tier::flex);
    const RouteTarget& mantle = c.routes[0].targets[3];
    EXPECT_EQ(mantle.endpoint, Endpoint::mantle);
    EXPECT_EQ(mantle.path, ApiPath::openai_v1);
    EXPECT_EQ(mantle.profiles.at("arn:aws:bedrock:us-east-1:1:inference-profile/p"), "big");
    EXPECT_EQ(c.routes[0].targets[4].guardrails.at("gr-a"), "gr-b");
    EXPECT_EQ(c.routes[0].targets[2].model, "us.small");
    EXPECT_EQ(c.routes[0].spill_after, 3s);
    EXPECT_EQ(c.routes[0].degrade_after, 11s);
    EXPECT_EQ(c.routes[0].residency, "us");
    ASSERT_EQ(c.clients.size(), 3U);
    EXPECT_EQ(c.clients[1].access_key_id, "WEIRABC");
    EXPECT_EQ(c.clients[1].secret_access_key, "hush");
    EXPECT_EQ(c.timeouts.interim_100, 45s);
    EXPECT_EQ(c.clients[0].key_sha256.size(), 1U);
    EXPECT_EQ(c.clients[0].priority, Priority::interactive);
    EXPECT_EQ(c.clients[2].priority, Priority::batch);
    EXPECT_EQ(c.clients[2].tokens_per_minute, 50'000U);
    EXPECT_EQ(c.clients[2].requests_per_minute, 100U);
    EXPECT_EQ(c.clients[2].models, std::vector<std::string>{"us.anthropic.*"});
    EXPECT_EQ(c.clients[2].regions, std::vector<std::string>{"us-east-1"});
    EXPECT_EQ(c.queue.deadline, 50s);
    EXPECT_EQ(c.queue.max_wait, 40s);
    EXPECT_EQ(c.queue.max_waiting, 100U);
    EXPECT_EQ(c.retry.preset, Preset::article);
    EXPECT_EQ(c.retry.max_attempts, 7U);
    EXPECT_EQ(c.retry.base_delay, 60ms);
    EXPECT_EQ(c.retry.max_delay, 6s);
    EXPECT_EQ(c.retry.jitter, Jitter::none);
    EXPECT_EQ(c.retry.budget, 0.3);
    EXPECT_TRUE(c.retry.repeat_timeouts);
    EXPECT_EQ(c.breaker.failures, 6U);
    EXPECT_EQ(c.breaker.failure_share, 0.6);
    EXPECT_EQ(c.breaker.window, 11s);
    EXPECT_EQ(c.breaker.open_for, 6s);
    EXPECT_EQ(c.breaker.max_open, 31s);
    EXPECT_EQ(c.breaker.probes, 4U);
    EXPECT_EQ(c.timeouts.connect, 6s);
    EXPECT_EQ(c.timeouts.first_event, 301s);
    EXPECT_EQ(c.timeouts.idle, 302s);
    EXPECT_EQ(c.timeouts.answer, 1h);
    EXPECT_EQ(c.timeouts.client_head, 11s);
    EXPECT_EQ(c.timeouts.client_idle, 76s);
    EXPECT_EQ(c.timeouts.drain_delay, 6s);
    EXPECT_EQ(c.timeouts.drain, 31s);
    EXPECT_EQ(c.pool.max_connections, 4097U);
    EXPECT_EQ(c.pool.idle, 301s);
    EXPECT_EQ(c.pool.keepalive, 46s);
    EXPECT_EQ(c.limits.max_body, 33ULL << 20);
    EXPECT_EQ(c.limits.max_buffered, 2ULL << 30);
    EXPECT_EQ(c.limits.max_connections, 20'001U);
    EXPECT_EQ(c.limits.max_header, 65U << 10);
    EXPECT_EQ(c.log.level, LogLevel::warn);
    EXPECT_EQ(c.log.format, "json");
}

TEST(ConfigFile, EmptyMeansDefaults) {
    const std::string defaults = print_config(Config{});
    for (const char* text :
         {"", "\n\n", "# nothing\n", "---\n", "{}", "queue:\nroutes:\nlog: ~\n", "\xEF\xBB\xBF"}) {
        EXPECT_EQ(print_config(good(text)), defaults) << text;
    }
    EXPECT_EQ(print_config(load_config("", environment_of({})).config), defaults);
}

TEST(ConfigFile, ListenersInSeveralForms) {
    EXPECT_EQ(good("listen: '[::1]:7070'").listen, std::vector<std::string>{"[::1]:7070"});
    EXPECT_EQ(good("listen: localhost:80").listen, std::vector<std::string>{"127.0.0.1:80"});
    EXPECT_EQ(good("listen: 127.8.8.8:0").listen, std::vector<std::string>{"127.8.8.8:0"});
    EXPECT_EQ(good("listen: 0.0.0.0:80\nopen: true").listen.size(), 1U);
    EXPECT_EQ(good("listen: '[::ffff:127.0.0.1]:80'").listen.size(), 1U);
    EXPECT_EQ(
        good("listen: 0.0.0.0:80\nclients: [{name: a, key_sha256: [" + std::string(64, 'a') + "]}]")
            .listen.size(),
        1U);
    for (const char* bad : {"1.2.3:80", "1.2.3.256:80", "01.2.3.4:80", "[::1:80", "::1:80",
                            "[1:2:3:4:5:6:7]:80", "[1::2::3]:80", "[12345::]:80", "[]:80", ":80",
                            "127.0.0.1:", "127.0.0.1:080", "127.0.0.1:8x", "*:80"})
        EXPECT_EQ(complaints_of("listen: '" + std::string(bad) + "'\nopen: true").size(), 1U)
            << bad;
}

TEST(ConfigFile, TheEnvironmentOverridesListeners) {
    const Config c = good("listen: 0.0.0.0:1\nadmin: 127.0.0.1:2\n",
                          {{"WEIR_LISTEN", "127.0.0.1:3, [::1]:4"}, {"WEIR_ADMIN", "127.0.0.1:5"}});
    EXPECT_EQ(c.listen, (std::vector<std::string>{"127.0.0.1:3", "[::1]:4"}));
    EXPECT_EQ(c.admin, "127.0.0.1:5");
    EXPECT_TRUE(good("listen: 0.0.0.0:1", {{"WEIR_OPEN", "1"}}).open);
    EXPECT_EQ(complaints_of("", {{"WEIR_LISTEN", "0.0.0.0:1"}})[0].substr(0, 13), "WEIR_LISTEN: ");
    EXPECT_EQ(complaints_of("", {{"WEIR_OPEN", "perhaps"}}).size(), 1U);
}

TEST(ConfigFile, TheStateDirectoryHasTheFilesThatOutliveARestart) {
    const Config c = good("", {{"STATE_DIRECTORY", "/var/lib/weir:/else"}});
    EXPECT_EQ(c.state_file, "/var/lib/weir/weir-state.json");
    EXPECT_EQ(c.costs.file, "/var/lib/weir/costs.json");
    const Config without = good("state_file: ''\ncosts: {file: ''}", {{"STATE_DIRECTORY", "/x"}});
    EXPECT_EQ(without.state_file + without.costs.file, "");
    const Config own = good("costs: {file: /y/c.json, tags: 7}", {{"STATE_DIRECTORY", "/x"}});
    EXPECT_EQ(own.costs.file, "/y/c.json");
    EXPECT_EQ(good("").costs.file, "");
}

TEST(ConfigFile, TheDefaultRegionMayComeFromTheEnvironment) {
    EXPECT_EQ(good("", {{"AWS_REGION", "eu-west-1"}, {"AWS_DEFAULT_REGION", "x-1"}}).default_region,
              "eu-west-1");
    EXPECT_EQ(good("", {{"AWS_DEFAULT_REGION", "eu-west-1"}}).default_region, "eu-west-1");
    EXPECT_EQ(good("default_region: us-east-1", {{"AWS_REGION", "eu-west-1"}}).default_region,
              "us-east-1");
    EXPECT_EQ(good("regions: {us-east-1: {}}", {{"AWS_REGION", "eu-west-1"}}).default_region,
              "us-east-1")
        << "an undeclared Region of the shell is no help";
}

TEST(ConfigFile, ValuesComeFromTheEnvironmentAndFiles) {
    const std::string path = testing::TempDir() + "weir_secret";
    std::ofstream(path) << "from-a-file\n";
    const Config c = good(
        "workers: ${N}\n"
        "queue: {deadline: '${D}s'}\n"
        "aliases: {one: 'a-${N}.$x', two: '$', three: $$}\n"
        "credentials: {source: static, access_key_id: 'a$${b}${N}', secret_access_key: '${file:" +
            path + "}'}\n",
        {{"N", "3"}, {"D", "70"}});
    std::remove(path.c_str());
    EXPECT_EQ(c.workers, 3U);
    EXPECT_EQ(c.queue.deadline, 70s);
    EXPECT_EQ(c.aliases.at("one"), "a-3.$x");
    EXPECT_EQ(c.aliases.at("two") + c.aliases.at("three"), "$$$");
    EXPECT_EQ(c.credentials.access_key_id, "a${b}3");
    EXPECT_EQ(c.credentials.secret_access_key, "from-a-file");
}

TEST(ConfigFile, AnchorsAreCopies) {
    const Config c = good(
        "regions: {us-east-1: {}, us-west-2: {}}\n"
        "routes:\n"
        "- {model: a, targets: &both [{region: us-east-1}, {region: us-west-2}]}\n"
        "- {model: b, targets: *both}\n");
    EXPECT_EQ(c.routes[1].targets.size(), 2U);
}

TEST(ConfigFile, AddressesGiveBackWhatTheyName) {
    const Complaint complaint{"f", 3, 4, "m"};
    EXPECT_EQ(to_string(complaint), "f:3:4: m");
    EXPECT_EQ(to_string(Complaint{"f", 0, 0, "m"}), "f: m");
    EXPECT_EQ(to_string(Complaint{"", 0, 0, "m"}), "m");
}

TEST(PrintConfig, ReadsBackToTheSame) {
    for (const char* text : {"", "workers: 4", kWhole}) {
        Config config = good(text);
        if (config.regions.contains("us-west-2"))
            config.regions["us-west-2"].credentials.reset();  // secrets are not printed
        for (ClientConfig& client : config.clients)
            client.access_key_id = client.secret_access_key = "";
        const std::string printed = print_config(config);
        const Config back = good(printed);
        EXPECT_EQ(print_config(back), printed);
        EXPECT_EQ(back.listen, config.listen);
        EXPECT_EQ(back.aliases, config.aliases);
        EXPECT_EQ(back.quotas.size(), config.quotas.size());
        for (std::size_t i = 0; i < std::min(back.routes.size(), config.routes.size()); ++i) {
            for (std::size_t j = 0; j < config.routes[i].targets.size(); ++j) {
                const RouteTarget& a = config.routes[i].targets[j];
                const RouteTarget& b = back.routes[i].targets.at(j);
                EXPECT_EQ(std::tie(a.endpoint, a.tier, a.path, a.guardrails, a.profiles),
                          std::tie(b.endpoint, b.tier, b.path, b.guardrails, b.profiles));
            }
        }
        EXPECT_EQ(back.shared.has_value(), config.shared.has_value());
        EXPECT_EQ(back.retry.preset, config.retry.preset);
        EXPECT_EQ(back.retry.base_delay, config.retry.base_delay);
        EXPECT_EQ(back.limits.max_header, config.limits.max_header);
    }
}

TEST(PrintConfig, NeverShowsASecret) {
    const Config config = good(
        "regions: {a-1: {proxy: 'http://me:hunter2@p:1'}}\n"
        "shared: {url: 'redis://me:hunter2@cache'}\n"
        "credentials: {source: static, access_key_id: AKID, secret_access_key: hunter2, "
        "session_token: hunter2}\n"
        "clients: [{name: a, access_key_id: AK, secret_access_key: hunter2}]\n");
    const std::string printed = print_config(config);
    EXPECT_EQ(printed.find("hunter2"), std::string::npos) << printed;
    EXPECT_NE(printed.find("set, and not shown"), std::string::npos);
}

TEST(PrintConfig, ExplainsEveryKey) {
    const std::string printed = print_config(good(kWhole));
    for (const char* key :
         {"spill_after", "reserve_burndown", "repeat_timeouts", "drain_delay", "max_buffered",
          "admin_open", "quota_share", "mantle_endpoint", "guardrails", "profiles", "tier", "path",
          "output_tokens_per_minute", "access_key_id", "interim_100"}) {
        const std::size_t at = printed.find(std::string(key) + ":");
        ASSERT_NE(at, std::string::npos) << key;
        EXPECT_NE(printed.substr(at, printed.find('\n', at) - at).find(" # "), std::string::npos)
            << key;
    }
}

// Any text at all in any free place comes back as it went.
TEST(PrintConfig, QuotesWhateverStandsInTheValues) {
    EXPECT_TRUE(rc::check("strings survive", [] {
        const auto text = *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::oneOf(
            rc::gen::inRange<char>(' ', '\x7f'),
            rc::gen::element('$', '{', '}', '"', '\\', '\'', ':', '#', '-', '~', '\n', '\t'))));
        Config config;
        config.quotas.emplace_back().models = {text};
        config.quotas[0].requests_per_minute = 1;
        config.clients.emplace_back().name = "a";
        config.clients[0].models = {text};
        config.aliases["nick"] = text == "nick" ? "other" : text;
        const LoadedConfig back = parse(print_config(config));
        RC_ASSERT(back.complaints.empty());
        RC_ASSERT(back.config.clients[0].models[0] == text);
        RC_ASSERT(back.config.quotas[0].models.size() == 1U);
    }));
}

TEST(PrintConfig, TheExampleFileIsGood) {
    const auto loaded = load_config(WEIR_SOURCE_DIR "/docs/weir.example.yaml", environment_of({}));
    for (const Complaint& complaint : loaded.complaints)
        ADD_FAILURE() << to_string(complaint);
    EXPECT_EQ(loaded.config.clients.size(), 2U);
}

TEST(Presets, ArticleChangesTimesOnly) {
    RetryConfig retry;
    retry.preset = Preset::article;
    retry.budget = 0.7;
    const RetryConfig article = resolved(retry);
    EXPECT_EQ(article.max_attempts, 5U);
    EXPECT_EQ(article.base_delay, 1s);
    EXPECT_EQ(article.max_delay, 60s);
    EXPECT_EQ(article.budget, 0.7);
    BreakerConfig breaker;
    breaker.preset = Preset::article;
    EXPECT_EQ(resolved(breaker).failures, 5U);
    EXPECT_EQ(resolved(breaker).open_for, 60s);
    EXPECT_EQ(resolved(breaker).max_open, 60s);
    EXPECT_EQ(resolved(RetryConfig{}).base_delay, 50ms) << "weir: the values as given";
}

}  // namespace
}  // namespace weir::cli
