// What weir::validate says of listeners, Regions, credentials, clients and single values.
#include "one_mistake.h"

#include "policy/validate.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using C = Config;

const std::string kSum(64, 'a');

C good() {
    C config;
    config.regions = {{"eu-west-1", {}}, {"us-east-1", {}}};
    return config;
}

C keyed() {
    C config = good();
    config.clients.resize(2);
    config.clients[0].name = "chat";
    config.clients[0].key_sha256 = {kSum};
    config.clients[1].name = "etl";
    config.clients[1].access_key_id = "WEIR1";
    config.clients[1].secret_access_key = "secret";
    return config;
}

TEST(Validate, Listeners) {
    expect_each(
        good(), validate,
        {{[](C& c) { c.listen.clear(); }, "listen", "at least one"},
         {[](C& c) { c.listen = {"weir.internal:7070"}; }, "listen[0]", "IP:PORT"},
         {[](C& c) { c.listen = {"127.0.0.1:1", "127.0.0.1:1"}; }, "listen[1]", "twice"},
         {[](C& c) { c.listen = {"0.0.0.0:7070"}; }, "listen[0]", "`open: true`"},
         {[](C& c) { c.admin = "nowhere"; }, "admin", "IP:PORT"},
         {[](C& c) { c.admin = c.listen[0]; }, "admin", "in `listen` too"},
         {[](C& c) { c.admin = "[::]:7071"; }, "admin", "`admin_key_sha256`"},
         {[](C& c) { c.admin_key_sha256 = std::string(64, 'G'); }, "admin_key_sha256", "64 hex"},
         {[](C& c) { c.admin_key_sha256 = "abc"; }, "admin_key_sha256", "64 hex"},
         {[](C& c) { c.admin_open = {"metrics", "reload"}; }, "admin_open[1]", "`reload`"},
         {[](C& c) { c.allowed_hosts = {"weir.internal", "https://a"}; }, "allowed_hosts[1]",
          "not a host name"},
         {[](C& c) { c.allowed_hosts = {""}; }, "allowed_hosts[0]", "not a host name"},
         {[](C& c) { c.allowed_hosts = {std::string(254, 'a')}; }, "allowed_hosts[0]", "..."},
         {[](C& c) { c.tls = TlsConfig{"", "key.pem"}; }, "tls.certificate", "PEM"},
         {[](C& c) { c.tls = TlsConfig{"cert.pem", ""}; }, "tls.key", "PEM"}});
    expect_good(good(), {[](C& c) { c.listen = {"127.0.0.1:0", "127.0.0.1:0"}; },
                         [](C& c) { c.listen = {"0.0.0.0:7070"}, c.open = true; },
                         [](C& c) { c.admin = ""; },
                         [](C& c) { c.listen = {"127.0.0.1:0"}, c.admin = "127.0.0.1:0"; },
                         [](C& c) { c.admin = "0.0.0.0:1", c.admin_key_sha256 = kSum; },
                         [](C& c) {
                             c.admin = "0.0.0.0:1";
                             c.admin_open = {"metrics", "healthz", "readyz", "status"};
                         },
                         [](C& c) { c.allowed_hosts = {"Weir_1.internal-a"}; },
                         [](C& c) { c.tls = TlsConfig{"cert.pem", "key.pem"}; }});
    expect_good(keyed(), {[](C& c) { c.listen = {"0.0.0.0:7070"}; }});
}

TEST(Validate, Shared) {
    C shared = good();
    shared.shared.emplace().url = "rediss://weir:se cret@cache.internal:6379/3";
    expect_each(
        shared, validate,
        {{[](C& c) { c.shared->url.clear(); }, "shared.url", "is missing"},
         {[](C& c) { c.shared->url = "http://cache:6379"; }, "shared.url", "redis:// or rediss://"},
         {[](C& c) { c.shared->url = "rediss://cache:0"; }, "shared.url", "1 to 65535"},
         {[](C& c) { c.shared->cluster = true; }, "shared.url", "leave `/3` out"},
         {[](C& c) { c.shared->url = "redis://cache", c.shared->ca = "ca.pem"; }, "shared.ca",
          "`rediss://`"},
         {[](C& c) { c.shared->prefix = ""; }, "shared.prefix", "1 to 64"},
         {[](C& c) { c.shared->prefix = "a{b"; }, "shared.prefix", "`a{b`"},
         {[](C& c) { c.shared->prefix = std::string(65, 'a'); }, "shared.prefix", "1 to 64"}});
    expect_good(shared,
                {[](C& c) { c.shared->ca = "ca.pem"; }, [](C& c) { c.shared->prefix = "app:weir"; },
                 [](C& c) { c.shared->url = "redis://cache", c.shared->cluster = true; }});
}

TEST(Validate, RegionsAndAliases) {
    expect_each(good(), validate,
                {{[](C& c) { c.regions["US_EAST"] = {}; }, "regions.US_EAST", "such as us-east-1"},
                 {[](C& c) { c.regions["us"] = {}; }, "regions.us", "such as us-east-1"},
                 {[](C& c) { c.regions[std::string(41, 'a')] = {}; },
                  "regions.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "such as us-east-1"},
                 {[](C& c) { c.regions["us-east-1"].proxy = "squid:3128"; },
                  "regions.us-east-1.proxy", "http://host:port"},
                 {[](C& c) { c.regions["us-east-1"].endpoint = "bedrock"; },
                  "regions.us-east-1.endpoint", "`bedrock` is not a URL"},
                 {[](C& c) { c.default_region = "eu-west-9"; }, "default_region",
                  "declared are eu-west-1, us-east-1"},
                 {[](C& c) { c.regions.clear(), c.default_region = "Here"; }, "default_region",
                  "such as us-east-1"},
                 {[](C& c) { c.aliases["small"] = ""; }, "aliases.small", "must not be empty"},
                 {[](C& c) { c.aliases[""] = "m"; }, "aliases.", "must not be empty"},
                 {[](C& c) { c.aliases = {{"a", "b"}, {"b", "m"}}; }, "aliases.a", "in a circle"},
                 {[](C& c) {
                      c.regions["us-east-1"].credentials.emplace().profile = "p";
                      c.regions["us-east-1"].credentials->source = CredentialsSource::bearer;
                  },
                  "regions.us-east-1.credentials.profile", "`source: default`"}});
    expect_good(good(), {[](C& c) { c.default_region = "us-east-1"; },
                         [](C& c) { c.regions.clear(), c.default_region = "us-east-1"; },
                         [](C& c) { c.regions["us-east-1"].proxy = "http://u:p@squid:3128"; },
                         [](C& c) { c.regions["us-east-1"].proxy = "https://squid:3128"; },
                         [](C& c) { c.regions["us-east-1"].endpoint = "http://localhost:1/x"; },
                         [](C& c) { c.aliases["small"] = "amazon.nova-micro-v1:0"; }});
}

TEST(Validate, NoRegionIsDeclaredAsNone) {
    C config;
    config.quotas.resize(1);
    EXPECT_TRUE(policy::is_declared(config, "eu-west-9")) << "every Region is allowed";
    EXPECT_NE(policy::declared_regions(config).find("none"), std::string::npos);
}

TEST(Validate, CredentialsBesideTheirSource) {
    using S = CredentialsSource;
    const auto of = [](S source, std::string CredentialsConfig::* member, std::string value = "x") {
        return [=](C& c) {
            c.credentials.source = source;
            c.credentials.*member = value;
        };
    };
    using K = CredentialsConfig;
    expect_each(
        good(), validate,
        {{of(S::static_keys, &K::access_key_id), "credentials.secret_access_key", "needs"},
         {of(S::static_keys, &K::secret_access_key), "credentials.access_key_id", "needs"},
         {of(S::default_chain, &K::access_key_id), "credentials.access_key_id", "static` only"},
         {of(S::bearer, &K::secret_access_key), "credentials.secret_access_key", "static` only"},
         {of(S::client_bearer, &K::session_token), "credentials.session_token", "static` only"},
         {of(S::default_chain, &K::bearer_token), "credentials.bearer_token", "bearer` only"},
         {of(S::client_bearer, &K::profile), "credentials.profile", "default` only"},
         {of(S::bearer, &K::bearer_token, "a b"), "credentials.bearer_token", "blanks"},
         {of(S::bearer, &K::bearer_token, "a\x7f"), "credentials.bearer_token", "blanks"}});
    expect_good(good(),
                {of(S::bearer, &K::bearer_token), of(S::default_chain, &K::profile), [](C& c) {
                     c.credentials.source = S::static_keys;
                     c.credentials.access_key_id = "A";
                     c.credentials.secret_access_key = "S";
                 }});
}

TEST(Validate, Clients) {
    expect_each(
        keyed(), validate,
        {{[](C& c) { c.clients[0].name = ""; }, "clients[0].name", "needs a `name`"},
         {[](C& c) { c.clients[0].name = "a b"; }, "clients[0].name", "`a b` is not a name"},
         {[](C& c) { c.clients[0].name = std::string(65, 'a'); }, "clients[0].name", "up to 64"},
         {[](C& c) { c.clients[1].name = "chat"; }, "clients[1].name",
          "the name of clients[0] already"},
         {[](C& c) { c.clients[0].key_sha256 = {"abc"}; }, "clients[0].key_sha256[0]", "SHA-256"},
         {[](C& c) { c.clients[0].key_sha256.push_back(kSum); }, "clients[0].key_sha256[1]",
          "the same key as clients[0].key_sha256[0]"},
         {[](C& c) { c.clients[0].models = {"us.*", ""}; }, "clients[0].models[1]", "is empty"},
         {[](C& c) { c.clients[0].regions = {"eu-west-9"}; }, "clients[0].regions[0]",
          "declared are eu-west-1, us-east-1"},
         {[](C& c) { c.clients.push_back(named("none")); }, "clients[2]",
          "`none` has no `key_sha256` and no `access_key_id`"},
         {[](C& c) { c.clients[0].share = 0; }, "clients[0].share", "above 0"}});
    expect_good(keyed(), {[](C& c) { c.clients[0].regions = {"us-east-1"}; },
                          [](C& c) { c.clients[0].models = {"us.*"}; },
                          [](C& c) { c.clients = {named("a"), named("b")}; }});
}

TEST(Validate, PairsThatClientsSignWith) {
    expect_each(keyed(), validate,
                {{[](C& c) {
                      c.clients[1].key_sha256 = {std::string(64, 'b')};
                      c.clients[1].access_key_id = "";
                  },
                  "clients[1].access_key_id", "beside it"},
                 {[](C& c) { c.clients[1].secret_access_key = ""; }, "clients[1].secret_access_key",
                  "beside it"},
                 {[](C& c) { c.clients[1].secret_access_key = "a b"; },
                  "clients[1].secret_access_key", "a blank"},
                 {[](C& c) { c.clients[1].secret_access_key = "\xc3\xa9"; },
                  "clients[1].secret_access_key", "no ASCII"},
                 {[](C& c) { c.credentials.source = CredentialsSource::client_bearer; },
                  "clients[1].access_key_id", "client_bearer"},
                 {[](C& c) { c.clients[1].access_key_id = "a/b"; }, "clients[1].access_key_id",
                  "not an access key id"},
                 {[&](C& c) {
                      c.clients[0] = named("b");
                      c.clients[0].secret_access_key = "s";
                      c.clients[0].access_key_id = "WEIR1";
                  },
                  "clients[1].access_key_id", "that of clients[0] already"}});
    C hidden = keyed();
    hidden.clients[1].secret_access_key = "very secret";
    EXPECT_EQ(listed(validate(hidden)).find("very"), std::string::npos);
}

TEST(Validate, WhatARowSaysOfItsValue) {
    expect_each(
        good(), validate,
        {{[](C& c) { c.quota_share = 0; }, "quota_share", "above 0"},
         {[](C& c) { c.quota_share = 1.01; }, "quota_share", "at most 1"},
         {[](C& c) { c.workers = 1025; }, "workers", "1024"},
         {[](C& c) { c.quota_window = 1h + 1ms; }, "quota_window", "100ms and 1h"},
         {[](C& c) { c.quota_window = 99ms; }, "quota_window", "100ms and 1h"},
         {[](C& c) { c.pool.idle = 350s; }, "pool.idle", "below 350s"},
         {[](C& c) { c.timeouts.interim_100 = 999ms; }, "timeouts.interim_100", "1s or longer"},
         {[](C& c) { c.queue.order = "lifo"; }, "queue.order",
          "`lifo` is unknown; allowed are fifo, adaptive_lifo, small_first"},
         {[](C& c) { c.queue.order = ""; }, "queue.order", "is unknown"},
         {[](C& c) { c.log.format = "xml"; }, "log.format", "auto, text, json"},
         {[](C& c) { c.retry.max_delay = c.retry.base_delay - 1ms; }, "retry.max_delay",
          "shorter than base_delay"},
         {[](C& c) { c.breaker.max_open = c.breaker.open_for - 1ms; }, "breaker.max_open",
          "shorter than open_for"},
         {[](C& c) { c.limits.max_buffered = c.limits.max_body - 1; }, "limits.max_buffered",
          "smaller than max_body"}});
    expect_good(good(),
                {[](C& c) { c.quota_share = 1; }, [](C& c) { c.queue.order = "small_first"; },
                 [](C& c) { c.timeouts.interim_100 = 1s; }, [](C& c) { c.pool.idle = 349s; }});
}

TEST(Validate, Doubts) {
    C config = good();
    config.routes.resize(1);
    config.routes[0].model = "us.amazon.nova-micro-v1:0";
    config.routes[0].targets = {in_region("us-east-1"), in_region("us-west-2")};
    expect_each(config, policy::doubts,
                {{[](C& c) { c.routes[0].targets[1].region = "eu-west-1"; },
                  "routes[0].targets[1].region", "which Bedrock does not offer in eu-west-1"},
                 {[](C& c) { c.routes[0].targets[0].model = "eu.amazon.nova-micro-v1:0"; },
                  "routes[0].targets[0].model", "a profile of eu"},
                 {[](C& c) { c.queue.max_wait = c.queue.deadline + 1s; }, "queue.max_wait",
                  "longer than `queue.deadline`"},
                 {[](C& c) { c.queue.target_wait = c.queue.max_wait + 1s; }, "queue.target_wait",
                  "longer than `queue.max_wait`"},
                 {[](C& c) { c.routes[0].spill_after = c.queue.max_wait; }, "routes[0].spill_after",
                  "not shorter than `queue.max_wait`"},
                 {[](C& c) { c.shared = SharedConfig{}, c.quota_share = 0.5; }, "quota_share",
                  "divides what all instances share"}});
    const auto without = [&](auto change) {
        C changed = config;
        change(changed);
        EXPECT_EQ(listed(policy::doubts(changed)), "");
    };
    without([](C& c) { c.shared = SharedConfig{}; });
    without([](C& c) { c.quota_share = 0.5; });
    without([](C& c) { c.routes[0].model = "in.amazon.nova-micro-v1:0"; });
    without([](C& c) { c.routes[0].targets.resize(1), c.routes[0].spill_after = 1h; });
    // Where something else says what is asked for, the prefix proves nothing.
    without([](C& c) {
        c.routes[0].targets[1].region = "eu-west-1";
        c.routes[0].targets[1].profiles = {{"arn:a", "arn:b"}};
    });
    without([](C& c) {
        c.routes[0].targets[1].region = "eu-west-1";
        c.aliases[c.routes[0].model] = "m";
    });
    without([](C& c) {
        c.routes[0].targets[1].region = "eu-west-1";
        c.routes[0].targets[1].endpoint = Endpoint::mantle;
    });
}

TEST(Presets, TheArticleHasItsNumbersAndWeirItsOwn) {
    RetryConfig retry;
    retry.max_attempts = 9;
    EXPECT_EQ(resolved(retry).max_attempts, 9U);
    retry.preset = Preset::article;
    EXPECT_EQ(resolved(retry).max_attempts, 5U);
    EXPECT_EQ(resolved(retry).base_delay, 1s);
    EXPECT_EQ(resolved(retry).max_delay, 60s);
    EXPECT_EQ(resolved(retry).jitter, Jitter::none);
    BreakerConfig breaker;
    breaker.open_for = 7s;
    EXPECT_EQ(resolved(breaker).open_for, 7s);
    breaker.preset = Preset::article;
    EXPECT_EQ(resolved(breaker).failures, 5U);
    EXPECT_EQ(resolved(breaker).open_for, 60s);
    EXPECT_EQ(resolved(breaker).max_open, 60s);
}

}  // namespace
}  // namespace weir
