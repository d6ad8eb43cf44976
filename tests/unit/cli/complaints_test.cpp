// Every mistake has its place, its reason and what would be right.

#include "config_support.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir::cli {
namespace {

struct Case {
    const char* text;
    const char* place;   // of the one complaint
    const char* phrase;  // somewhere in it
};

class OneMistake : public testing::TestWithParam<Case> {};

TEST_P(OneMistake, IsNamedWithItsPlace) {
    const Case& param = GetParam();
    const auto lines = complaints_of(param.text);
    ASSERT_EQ(lines.size(), 1U) << param.text << "\n"
                                << (lines.empty() ? "no complaint"
                                                  : lines[0] + "\n" + lines.back());
    EXPECT_TRUE(lines[0].starts_with(std::string("weir.yaml") + param.place)) << lines[0];
    EXPECT_NE(lines[0].find(param.phrase), std::string::npos) << lines[0];
}

constexpr const char* kKey = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

const Case kCases[] = {
    // The language itself
    {"listen: [127.0.0.1:7070\nadmin: 127.0.0.1:7071\n", ":", "not valid YAML"},
    {"queue:\n\tdeadline: 5s\n", ":2:", "not valid YAML"},
    {"- a\n- b\n", ":1:1: ", "the file is a list; allowed is a map"},
    {"just words\n", ":1:1: ", "allowed is a map"},
    {"log: {level: info}\n---\nlog: {level: info}\n", ":2:1: ", "second document"},
    {"workers: 2\nworkers: 3\n", ":2:1: ", "`workers` is given twice; it stands in line 1"},
    {"log: &a {level: info, format: *a}\n", ":1:31: ", "stands inside what it names"},
    {"? [a, b]\n: 1\n", ":1:", "a key must be a word"},
    // Keys
    {"quues: {}\n", ":1:1: ", "unknown key `quues`; did you mean `queue`?"},
    {"queue:\n  dedline: 5s\n",
     ":2:3: ", "unknown key `dedline` in `queue`; did you mean `deadline`?"},
    {"tls: {certificate: a, key: b, zebra: c}\n", ":1:31: ", "allowed are certificate, key"},
    {"tiemouts: {connect: 5s}\n", ":1:1: ", "did you mean `timeouts`?"},
    // Types and units
    {"queue: {deadline: 55}\n", ":1:19: ", "`queue.deadline` is `55`; a duration needs a unit"},
    {"queue: {deadline: 55 sec}\n", ":1:19: ", "allowed are ms, s, m and h"},
    {"queue: {deadline: [1s]}\n", ":1:19: ", "is a list; allowed is a duration"},
    {"limits: {max_body: 32}\n", ":1:20: ", "a size needs a unit"},
    {"limits: {max_body: 32MB}\n", ":1:20: ", "allowed are B, KiB, MiB and GiB"},
    {"workers: many\n", ":1:10: ", "`workers` is `many`; allowed is a whole number"},
    {"workers: -1\n", ":1:10: ", "allowed is a whole number"},
    {"workers: 99999999999999999999999\n", ":1:10: ", "allowed is a whole number"},
    {"workers: 5000\n", ":1:10: ", "1024"},
    {"open: maybe\n", ":1:7: ", "allowed are true and false"},
    {"quota_share: half\n", ":1:14: ", "allowed is a number"},
    {"quota_share: nan\n", ":1:14: ", "allowed is a number"},
    {"quota_share: 1.5\n", ":1:14: ", "at most 1"},
    {"queue: [a]\n", ":1:8: ", "`queue` is a list; allowed is a map"},
    {"routes: {}\n", ":1:9: ", "allowed is a list of maps"},
    {"listen: {a: b}\n", ":1:9: ", "a text or a list of texts"},
    {"log: {level: loud}\n", ":1:14: ", "allowed are debug, info, warn, error"},
    {"log: {format: xml}\n", ":1:15: ", "allowed are auto, text, json"},
    // Listeners
    {"listen: []\n", ":1:9: ", "at least one"},
    {"listen: 7070\n", ":1:9: ", "allowed is IP:PORT"},
    {"listen: [127.0.0.1:7070, weir.internal:80]\n", ":1:26: ", "allowed is IP:PORT"},
    {"listen: 127.0.0.1:70700\n", ":1:9: ", "allowed is IP:PORT"},
    {"listen: [127.0.0.1:7000, 127.0.0.1:7000]\n", ":1:26: ", "listed twice"},
    {"listen: 0.0.0.0:7070\n", ":1:9: ", "`open: true`"},
    {"listen: ['[::]:7070']\n", ":1:10: ", "can be reached from other machines"},
    {"listen: 0.0.0.0:7070\nclients: [{name: a}]\n", ":1:9: ", "key_sha256"},
    {"admin: 0.0.0.0:7071\n", ":1:8: ", "admin_key_sha256"},
    {"admin: 127.0.0.1:7070\n", ":1:8: ", "in `listen` too"},
    {"admin_key_sha256: abc\n", ":1:19: ", "64 hexadecimal digits"},
    {"admin_open: [metrics, everything]\n", ":1:23: ", "allowed are metrics, healthz"},
    {"allowed_hosts: ['http://x']\n", ":1:17: ", "not a host name"},
    {"shared: {prefix: a}\n", ":1:9: ", "is missing; allowed is redis://"},
    {"shared: {url: 'redis://u:TOPSECRET@h:x'}\n", ":1:15: ", "a port from 1 to 65535"},
    {"shared: {url: 'redis://h/1', cluster: true}\n", ":1:15: ", "leave `/1` out"},
    {"shared: {url: 'redis://h', ca: a.pem}\n", ":1:32: ", "`rediss://` URL only"},
    {"tls: {certificate: a.pem}\n", ":1:6: ", "tls needs `key`"},
    // Regions and credentials
    {"regions: {'US East': {}}\n", ":1:", "not the name of a Region"},
    {"regions: {us-east-1: {endpoint: localhost:9001}}\n", ":1:33: ", "is not a URL"},
    {"regions: {us-east-1: {}}\ndefault_region: eu-west-1\n", ":2:17: ", "declared are us-east-1"},
    {"credentials: {source: vault}\n", ":1:23: ", "allowed are default, static, bearer"},
    {"credentials: {source: static, access_key_id: AKID}\n", ":1:14: ", "needs secret_access_key"},
    {"credentials: {profile: a, source: bearer}\n", ":1:24: ", "`source: default` only"},
    {"clients: [{name: a, budget: {then: refuse}}]\n", ":1:29: ", "has no amount"},
    // Quotas
    {"quotas: [{model: m}]\n", ":1:10: ", "sets nothing"},
    {"quotas: [{requests_per_minute: 5}]\n", ":1:10: ", "needs `model` or `models`"},
    {"quotas: [{model: m, models: [m], requests_per_minute: 5}]\n", ":1:18: ", "allowed is one"},
    {"quotas: [{model: m, tokens_per_minute: 0}]\n", ":1:40: ", "is 0, which lets nothing through"},
    {"quotas: [{model: m, tokens_per_minute: 5s}]\n", ":1:40: ", "without a unit"},
    {"quotas:\n- {model: m, requests_per_minute: 5}\n- {models: [n, m], requests_per_minute: 6}\n",
     ":3:16: ", "has a quota in each Region already, quotas[0]"},
    {"quotas: [{model: m, output_burndown: 0}]\n", ":1:38: ", "between 1 and 1000"},
    {"regions: {us-east-1: }\nquotas: [{model: m, region: us-east-2, requests_per_minute: 1}]\n",
     ":2:29: ", "declared are us-east-1"},
    {"quotas: [{model: m, endpoint: mantle}]\n", ":1:10: ", "allowed are input_tokens_per_minute"},
    {"quotas: [{model: m, endpoint: mantle, requests_per_minute: 5}]\n",
     ":1:60: ", "without requests, days and burndown"},
    {"quotas: [{model: m, endpoint: mantle, input_tokens_per_minute: 5, output_burndown: 5}]\n",
     ":1:84: ", "is not counted there"},
    {"quotas: [{model: m, tier: reserved, tokens_per_minute: 5}]\n",
     ":1:56: ", "is not counted there"},
    {"quotas: [{model: m, tier: flex, tokens_per_minute: 5}]\n", ":1:27: ", "allowed are reserved"},
    {"quotas: [{model: m, output_tokens_per_minute: 5}]\n",
     ":1:47: ", "is for `endpoint: mantle` or `tier: reserved`"},
    {"quotas: [{model: us.m, endpoint: mantle, input_tokens_per_minute: 5}]\n",
     ":1:18: ", "bedrock-mantle has none"},
    {"quotas:\n- {model: m, endpoint: mantle, input_tokens_per_minute: 5}\n"
     "- {model: m, endpoint: mantle, input_tokens_per_minute: 6}\n",
     ":3:11: ", "already, quotas[0]"},
    // Routes
    {"regions: {us-east-1: {mantle_endpoint: localhost}}\n", ":1:40: ", "is not a URL"},
    {"regions: {us-east-1: {endpoint: 'http://127.0.0.1:1'}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, endpoint: mantle}]}]\n",
     ":2:61: ", "no `mantle_endpoint`"},
    {"regions: {us-east-1: {}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, endpoint: moon}]}]\n",
     ":2:61: ", "allowed are runtime, mantle"},
    {"regions: {us-east-1: {}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, endpoint: mantle, model: us.m}]}]\n",
     ":2:76: ", "allowed is a plain model id"},
    {"regions: {us-east-1: {}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, endpoint: mantle, guardrails: {a: b}}]}]\n",
     ":2:81: ", "has no guardrails"},
    {"regions: {us-east-1: {}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, tier: fast}]}]\n",
     ":2:57: ", "allowed are priority, default, flex, reserved"},
    {"regions: {us-east-1: {}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, path: /v2}]}]\n",
     ":2:57: ", "allowed are /v1, /openai/v1"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1, tier: flex}, "
     "{region: us-east-1, tier: flex}]}]\n",
     ":2:64: ", "listed already"},
    {"regions: {us-east-1: {}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, guardrails: {a: 'b c'}}]}]\n",
     ":2:67: ", "is no id and no ARN"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1, guardrails: {a: "
     "'arn:aws:bedrock:us-west-2:1:guardrail/b'}}]}]\n",
     ":2:67: ", "the ARN names the Region `us-west-2`"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1, guardrails: {a: "
     "b, 'arn:aws:bedrock:us-west-2:1:guardrail/a': c}}]}]\n",
     ":2:", "is mapped already"},
    {"regions: {us-east-1: {}}\n"
     "routes: [{model: m, targets: [{region: us-east-1, profiles: {a: b}}]}]\n",
     ":2:65: ", "is no profile's ARN"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1, model: n, "
     "profiles: {'arn:aws:bedrock:us-west-2:1:inference-profile/a': b}}]}]\n",
     ":2:71: ", "allowed is one of them"},
    {"routes: [{model: m, targets: [{region: us-east-1}]}]\n", ":1:40: ", "not declared"},
    {"regions: {a-1: {}, b-1: {}}\ncredentials: {source: bearer}\n"
     "routes: [{model: m, targets: [{region: a-1}, {region: b-1}]}]\n",
     ":3:30: ", "a bearer key is good in one Region"},
    {"regions: {us-east-1: {}}\nroutes:\n- model: m\n  targets:\n  - {region: us-east-1, model: "
     "'arn:aws:bedrock:us-west-2:1:inference-profile/us.x'}\n",
     ":5:32: ", "the ARN names the Region `us-west-2`"},
    {"regions: {us-east-1: {}}\nroutes:\n- {model: m, targets: [{region: us-east-1}]}\n"
     "- {model: m, targets: [{region: us-east-1}]}\n",
     ":4:11: ", "has a route already, routes[0]"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1}, {region: "
     "us-east-1}]}]\n",
     ":2:52: ", "listed already"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1}], residency: "
     "mars}]\n",
     ":2:64: ", "allowed are any, us, eu"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1}], residency: "
     "eu}]\n",
     ":2:40: ", "could never be used"},
    {"regions: {eu-west-1: {}}\nroutes: [{model: global.m, targets: [{region: eu-west-1}], "
     "residency: eu}]\n",
     ":2:38: ", "may be served outside"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{region: us-east-1}], max_output: "
     "0}]\n",
     ":2:65: ", "at least 1"},
    {"regions: {us-east-1: {}}\nroutes: [{model: m, targets: [{model: x}]}]\n",
     ":2:31: ", "needs a `region`"},
    // Clients
    {"clients: [{name: a}, {name: a}]\n", ":1:29: ", "is the name of clients[0] already"},
    {"clients: [{name: a b}]\n", ":1:18: ", "is not a name"},
    {"clients: [{share: 2}]\n", ":1:11: ", "needs a `name`"},
    {"clients: [{name: a, key_sha256: [abcd]}]\n", ":1:34: ", "64 hexadecimal digits"},
    {"clients: [{name: a, access_key_id: AK}]\n", ":1:11: ", "needs a `secret_access_key`"},
    {"clients: [{name: a, secret_access_key: hush}]\n", ":1:11: ", "needs an `access_key_id`"},
    {"clients: [{name: a, access_key_id: A/K, secret_access_key: hush}]\n",
     ":1:36: ", "is not an access key id"},
    {"clients: [{name: a, access_key_id: AK, secret_access_key: 'h sh'}]\n",
     ":1:59: ", "has a blank"},
    {"clients: [{name: a, access_key_id: AK, secret_access_key: x}, {name: b, access_key_id: AK, "
     "secret_access_key: y}]\n",
     ":1:88: ", "is that of clients[0] already"},
    {"credentials: {source: client_bearer}\nclients: [{name: a, access_key_id: AK, "
     "secret_access_key: x}]\n",
     ":2:36: ", "client_bearer"},
    {"clients: [{name: a, share: 0}]\n", ":1:28: ", "above 0"},
    {"clients: [{name: a, requests_per_minute: 0}]\n", ":1:42: ", "lets nothing through"},
    {"clients: [{name: a, priority: urgent}]\n", ":1:31: ", "interactive, standard, batch"},
    // Policy
    {"queue: {order: lifo}\n", ":1:16: ", "allowed are fifo, adaptive_lifo, small_first"},
    {"queue: {order: random}\n", ":1:16: ", "is unknown; allowed are fifo"},
    {"queue: {deadline: 0s}\n", ":1:19: ", "longer than 0"},
    {"retry: {preset: aws}\n", ":1:17: ", "allowed are weir, article"},
    // CloudWatch
    {"aws: {metrics: {to: prometheus}}\n", ":1:21: ", "allowed are off, cloudwatch, emf"},
    {"aws: {metrics: {namespace: AWS/Weir}}\n", ":1:28: ", "do not begin with AWS/"},
    {"aws: {metrics: {max_series: 0}}\n", ":1:29: ", "allowed is 1 or more"},
    {"aws: {alarms: {prefix: 'a b'}}\n", ":1:24: ", "is not a prefix"},
    {"aws: {alarms: {critical: ['email:me']}}\n", ":1:27: ", "is nobody to tell"},
    {"aws: {alarms: {warning: [pager]}}\n", ":1:26: ", "an SNS topic's ARN"},
    {"aws: {incidents: {topic: email:a@example.com}}\n", ":1:26: ", "not the ARN of an SNS topic"},
    {"aws: {alarms: {success_percent: 101}}\n", ":1:33: ", "above 0 and at most 100"},
    {"aws: {incidents: {webhook: 'https://a.example/b'}}\n",
     ":1:28: ", "needs `secret` or `token`"},
    {"aws: {incidents: {webhook: 'https://a.example/b', secret: s, token: t}}\n",
     ":1:69: ", "both set"},
    {"retry: {max_attempts: 0}\n", ":1:23: ", "between 1 and 100"},
    {"retry: {base_delay: 10s}\n", ":1:8: ", "not be shorter than base_delay"},
    {"retry: {jitter: some}\n", ":1:17: ", "allowed are full, none"},
    {"breaker: {preset: none}\n", ":1:19: ", "allowed are weir, article"},
    {"breaker: {probes: 0}\n", ":1:19: ", "1 or more"},
    {"timeouts: {interim_100: 500ms}\n", ":1:25: ", "1s or longer"},
    {"timeouts: {interim_100: often}\n", ":1:25: ", "duration"},
    {"pool: {idle: 400s}\n", ":1:14: ", "350s"},
    {"pool: {max_connections: 0}\n", ":1:25: ", "1 or more"},
    {"limits: {max_body: 2GiB}\n", ":1:9: ", "not be smaller than max_body"},
    // Substitution
    {"workers: ${NOT_THERE}\n", ":1:10: ", "the environment variable NOT_THERE is not set"},
    {"admin: ${OPEN\n", ":1:8: ", "without its `}`"},
    {"admin: ${1X}\n", ":1:8: ", "neither ${NAME}"},
    {"credentials: {source: bearer, bearer_token: '${file:/no/such/file}'}\n",
     ":1:45: ", "cannot read /no/such/file: No such file"},
    {"credentials: {source: bearer, bearer_token: '${file:/tmp}'}\n", ":1:45: ", "directory"},
    {"credentials: {source: bearer, bearer_token: '${file:/dev/zero}'}\n",
     ":1:45: ", "not a regular file"},
};

INSTANTIATE_TEST_SUITE_P(All, OneMistake, testing::ValuesIn(kCases));

TEST(Complaints, AllAtOnceInTheFilesOrder) {
    const auto lines = complaints_of(
        "listen: 0.0.0.0:7070\n"
        "colour: red\n"
        "queue: {deadline: 55, order: lifo}\n"
        "quotas:\n"
        "  - {model: m, requests_per_minute: 0}\n"
        "clients: [{name: a, share: -1}]\n");
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_TRUE(lines[0].starts_with("weir.yaml:1:9: "));
    EXPECT_TRUE(lines[1].starts_with("weir.yaml:2:1: unknown key `colour`"));
    EXPECT_TRUE(lines[2].starts_with("weir.yaml:3:19: "));
    EXPECT_TRUE(lines[3].starts_with("weir.yaml:3:30: "));
    EXPECT_TRUE(lines[4].starts_with("weir.yaml:5:37: "));
    EXPECT_TRUE(lines[5].starts_with("weir.yaml:6:28: "));
}

TEST(Complaints, AliasesThatNameAliasesAreRefused) {
    const auto lines = complaints_of("aliases: {fast: quick, quick: fast}\n");
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_NE(lines[0].find("is an alias itself"), std::string::npos);
}

TEST(Complaints, SameKeyForTwoClients) {
    const std::string key = kKey;
    const auto lines = complaints_of("clients:\n- {name: a, key_sha256: [" + key +
                                     "]}\n- {name: b, key_sha256: [" + key + "]}\n");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].starts_with("weir.yaml:3:26: is the same key as clients[0]")) << lines[0];
}

TEST(Complaints, NeverShowASecret) {
    const std::string secret = "TOPSECRETVALUE";
    const char* texts[] = {
        "workers: ${S}\n",
        "listen: ${S}\n",
        "queue: {order: '${S}', deadline: '${S}'}\n",
        "default_region: ${S}\nregions: {us-east-1: {}}\n",
        "clients: [{name: 'a ${S}', key_sha256: ['${S}'], share: '${S}', priority: '${S}'}]\n",
        "credentials: {secret_access_key: '${S}'}\n",
        "clients: [{name: a, secret_access_key: '${S}'}]\n",
        "clients: [{name: a, access_key_id: AK, secret_access_key: 'TOPSECRETVALUE '}]\n",
        "clients: [{name: TOPSECRETVALUE, access_key_id: A/K, secret_access_key: "
        "TOPSECRETVALUE}]\nlog: {format: TOPSECRETVALUE}\n",
        "credentials: {secret_access_key: TOPSECRETVALUE, source: static}\nlog: {format: "
        "TOPSECRETVALUE}\n",
        "regions: {us-east-1: {endpoint: '${S}', proxy: 'user:${S}@x'}}\n",
        "routes: [{model: '${S}', residency: '${S}', targets: [{region: '${S}'}]}]\n",
        "quotas: [{model: '${S}', region: '${S}'}]\n",
        "shared: {url: 'redis://u:${S}@h:x', prefix: '${S} ', ca: '${S}'}\n",
        "shared: {url: 'redis://u:TOPSECRETVALUE@h/x'}\n",
    };
    for (const char* text : texts) {
        const auto lines = complaints_of(text, {{"S", secret}});
        EXPECT_FALSE(lines.empty()) << text;
        for (const std::string& line : lines)
            EXPECT_EQ(line.find(secret), std::string::npos) << line;
    }
}

TEST(Complaints, AFileOfMistakesStaysReadable) {
    std::string text;
    for (int i = 0; i < 5000; ++i)
        text += "wrong" + std::to_string(i) + ": 1\n";
    const auto lines = complaints_of(text);
    EXPECT_LE(lines.size(), 201U);
    EXPECT_NE(lines.back().find("and 4800 more"), std::string::npos) << lines.back();
}

TEST(Complaints, HostileFilesAreRefusedQuickly) {
    std::string deep = "a: ";
    deep.append(200'000, '[');
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 12; ++i) {
        const std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
        for (int j = 0; j < 9; ++j)
            bomb += ", " + before;
        bomb += "]\n";
    }
    const std::pair<const char*, std::string> files[] = {
        {"nested too deeply", deep},
        {"aliases make this file too large", bomb},
        {"control byte (0)", std::string("workers: 2\0\n", 12)},
        {"control byte (4)", "workers: 2\n\x04"},
        {"larger than 1 MiB", std::string((1U << 20) + 1, ' ')},
        {"", std::string(1U << 20, '{')},
        {"", std::string(100'000, '-') + "\n"},
        {"control byte (0)", std::string("\xff\xfew\0", 4)},
        {"", "a: !!binary *b\n"},
        {"", "%YAML 9.9\n---\na: 1\n"},
    };
    for (const auto& [phrase, text] : files) {
        const auto lines = complaints_of(text);
        ASSERT_FALSE(lines.empty()) << phrase << text.substr(0, 40);
        EXPECT_NE(lines[0].find(phrase), std::string::npos) << lines[0].substr(0, 300);
    }
}

TEST(Complaints, FilesThatCannotBeRead) {
    const auto none = load_config("/no/such/weir.yaml", {});
    ASSERT_EQ(none.complaints.size(), 1U);
    EXPECT_EQ(to_string(none.complaints[0]),
              "/no/such/weir.yaml: cannot be read: No such file or directory");
    const auto directory = load_config("/tmp", {});
    ASSERT_EQ(directory.complaints.size(), 1U);
    EXPECT_NE(directory.complaints[0].message.find("directory"), std::string::npos);
    const auto endless = load_config("/dev/zero", {});
    ASSERT_EQ(endless.complaints.size(), 1U);
    EXPECT_NE(endless.complaints[0].message.find("larger than 1024 KiB"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
