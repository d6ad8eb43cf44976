// Every setting of a Config, one row each. Reading weir.yaml, printing it, checking ranges, what a
// reload does and the check of docs/configuration.md all go over these rows.
//
// A visitor has `heading(text)` and `operator()(value, row)`, which is called with the member and
// its row. Members that are structs (also optional ones, and those in lists and maps) come with
// their own row; the visitor goes into them by calling visit() itself.
#pragma once

#include "policy/aws_rows.h"
#include "policy/observe_rows.h"
#include "policy/setting_row.h"

#include <weir/config.h>

#include <string>
#include <string_view>
#include <type_traits>

namespace weir::policy {

constexpr Range kPositive{.least = 0, .least_excluded = true, .otherwise = "must be longer than 0"};
constexpr Range kNotNegative{.least = 0, .otherwise = "must not be negative"};
constexpr Range kNotZero{.least = 1, .otherwise = "is 0; allowed is 1 or more"};
constexpr Range kShare{
    .least = 0, .most = 1, .least_excluded = true, .otherwise = "must be above 0 and at most 1"};
constexpr Range kCap{.least = 1, .otherwise = "must be at least 1; leave it out for no cap"};
constexpr Range kClientLimit{
    .least = 1, .otherwise = "is 0, which lets nothing through; leave it out for no limit"};
constexpr Range kQuotaLimit{
    .least = 1, .otherwise = "is 0, which lets nothing through; leave it out and it is learned"};

template <class V, Of<CredentialsConfig> C>
void visit(V& v, C& c) {
    v(c.source, {"source", "default (chain), static, bearer, client_bearer"});
    v(c.profile, {"profile", "of the shared files; AWS_PROFILE, else default"});
    v(c.access_key_id, {"access_key_id", "with source static"});
    v(c.secret_access_key, {.key = "secret_access_key",
                            .comment = "with source static; best as ${NAME} or ${file:/path}",
                            .traits = kSecret});
    v(c.session_token,
      {.key = "session_token", .comment = "with source static", .traits = kSecret});
    v(c.bearer_token, {.key = "bearer_token",
                       .comment = "with source bearer; unset: AWS_BEARER_TOKEN_BEDROCK",
                       .traits = kSecret});
}

template <class V, Of<TlsConfig> C>
void visit(V& v, C& c) {
    v(c.certificate,
      {"certificate", "PEM file, chain included", {}, Effect::new_connections, kShowEmpty});
    v(c.key, {"key", "PEM file", {}, Effect::new_connections, kShowEmpty});
}

template <class V, Of<SharedConfig> C>
void visit(V& v, C& c) {
    // What is being read may turn out to hold one.
    const bool password = !std::is_const_v<C> || c.url.find('@') != std::string::npos;
    v(c.url, {.key = "url",
              .comment = password ? "it carries a password" : "redis:// or rediss://, HOST:PORT",
              .effect = Effect::restart,
              .traits = password ? kSecret : kShowEmpty});
    v(c.prefix, {.key = "prefix",
                 .comment = "of every key; instances with the same one share",
                 .effect = Effect::restart,
                 .traits = kShowEmpty});
    v(c.ca, {.key = "ca",
             .comment = "PEM file; unset: AWS_CA_BUNDLE, else the system's store",
             .effect = Effect::restart});
    v(c.cluster, {.key = "cluster",
                  .comment = "true: the server runs in cluster mode",
                  .effect = Effect::restart});
}

template <class V, Of<AwsConfig> C>
void visit(V& v, C& c) {
    const auto url = [&](auto& value, std::string_view key, std::string_view comment) {
        v(value, {.key = key, .comment = comment, .traits = kUrl});
    };
    url(c.endpoint, "endpoint", "of every service below without its own; unset: AWS");
    url(c.sts, "sts", "roles, and who one is");
    url(c.sso, "sso", "keys for an SSO session");
    url(c.oidc, "oidc", "renews SSO sessions");
    url(c.signin, "signin", "renews sessions of `aws login`");
    url(c.service_quotas, "service_quotas", "limits of the account");
    url(c.cloudwatch, "cloudwatch", "metrics, alarms, dashboards");
    url(c.logs, "logs", "queries over logs");
    url(c.sns, "sns", "topics of alarms and incidents");
    v(c.read_quotas, {.key = "read_quotas",
                      .comment = "limits from Service Quotas where `quotas` has none",
                      .unset = "unset: in Regions without an `endpoint`"});
    v(c.quotas_every,
      {.key = "quotas_every", .comment = "between two readings", .range = kPositive});
    v(c.metrics, {"metrics"});
    v(c.alarms, {"alarms"});
    v(c.incidents, {"incidents"});
    v(c.actions, {.key = "actions",
                  .comment = "what a CloudWatch alarm may make weir do",
                  .entries = "actions, `{topic: ARN, do: close, region: us-east-1}`"});
}

template <class V, Of<AccountConfig> C>
void visit(V& v, C& c) {
    v(c.role_arn, {"role_arn", "the role to take on there; unset: the profile's keys are its own"});
    v(c.external_id, {"external_id", "as the role's trust policy asks for it"});
    v(c.session_name, {"session_name", "of the role's sessions, as CloudTrail shows; unset: weir"});
    v(c.profile, {"profile", "of the shared files; unset: the file's `credentials`"});
}

template <class V, Of<RegionConfig> C>
void visit(V& v, C& c) {
    const bool password = c.proxy.find('@') != std::string::npos;
    v(c.endpoint, {.key = "endpoint",
                   .comment = "unset: https://bedrock-runtime.{}.amazonaws.com",
                   .traits = kUrl});
    v(c.mantle_endpoint, {.key = "mantle_endpoint",
                          .comment = "unset: https://bedrock-mantle.{}.api.aws",
                          .traits = kUrl});
    v(c.control_endpoint, {.key = "control_endpoint",
                           .comment = "unset: https://bedrock.{}.amazonaws.com",
                           .traits = kUrl});
    v(c.ca, {"ca", "PEM file; unset: AWS_CA_BUNDLE, else the system's store"});
    v(c.proxy, {.key = "proxy",
                .comment = password ? "it carries a password" : "unset: HTTPS_PROXY and NO_PROXY",
                .traits = password ? kSecret : 0U});
    v(c.credentials, {.key = "credentials",
                      .comment = "for this Region alone",
                      .unset = "unset: those of the whole file"});
}

template <class V, Of<QuotaConfig> C>
void visit(V& v, C& c) {
    QuotaTier tier = c.reserved ? QuotaTier::reserved : QuotaTier::others;
    v(c.models, {"models", "they share this pool"});
    v(c.region, {"region", "unset: a pool of this size in each Region"});
    v(c.account, {"account", "of `accounts`, or default; unset: a pool of this size in each"});
    v(c.endpoint, {"endpoint", "runtime, mantle"});
    v(tier, {.key = "tier",
             .comment = "the pool of this tier alone",
             .unset = "reserved: the pool of that tier; unset: of all others"});
    if constexpr (!std::is_const_v<C>) {
        c.reserved = tier == QuotaTier::reserved;
    }
    const unsigned apart = c.apart() ? 0 : kHidden;
    const unsigned together = c.apart() ? kHidden : 0;
    const auto limit = [&](auto& value, std::string_view key, std::string_view comment,
                           unsigned traits) {
        v(value, {key, comment, kQuotaLimit, Effect::at_once, traits});
    };
    limit(c.input_tokens_per_minute, "input_tokens_per_minute", "unset: learned", apart);
    limit(c.output_tokens_per_minute, "output_tokens_per_minute",
          "unset: not limited; running out of it cuts answers short", apart);
    limit(c.requests_per_minute, "requests_per_minute", "unset: learned", together);
    limit(c.tokens_per_minute, "tokens_per_minute", "unset: learned", together);
    limit(c.tokens_per_day, "tokens_per_day", "unset: learned", together);
    v(c.max_in_flight, {.key = "max_in_flight",
                        .comment = "calls under way at once; unset: no limit",
                        .range = kClientLimit,
                        .traits = together});
    v(c.output_burndown,
      {.key = "output_burndown",
       .comment = "quota tokens an output token costs; unset: the built-in table",
       .range = {.least = 1, .most = 1000, .otherwise = "must be between 1 and 1000"},
       .traits = together});
    v(c.reserve_burndown, {.key = "reserve_burndown",
                           .comment = "true: max_tokens counts times the burndown from the start",
                           .traits = together});
}

template <class V, Of<RouteTarget> C>
void visit(V& v, C& c) {
    v(c.region, {"region"});
    v(c.model,
      {"model", c.endpoint == Endpoint::mantle ? "unset: the route's own, without its prefix"
                                               : "unset: the route's own"});
    v(c.account, {"account", "of `accounts`; unset: that of `credentials`"});
    v(c.endpoint, {"endpoint", "runtime; mantle: OpenAI and Anthropic paths only"});
    v(c.tier, {.key = "tier",
               .comment = "priority, default, flex, reserved",
               .unset = "priority, default, flex, reserved; unset: as the call says"});
    v(c.path, {.key = "path",
               .comment = "what the endpoint calls OpenAI's paths",
               .unset = "/v1, /openai/v1: what the endpoint calls OpenAI's paths"});
    v(c.weight, {.key = "weight",
                 .comment = "its part among weighted neighbours",
                 .range = {.most = 1000, .otherwise = "must be between 1 and 1000"},
                 .traits = kZeroUnset,
                 .unset = "1: shares calls with weighted neighbours"});
    v(c.guardrails, {.key = "guardrails",
                     .comment = "other Regions' guardrails: this one's",
                     .entries = "guardrails, `theirs: ours`",
                     .each = "a guardrail's id or ARN"});
    v(c.profiles, {.key = "profiles",
                   .comment = "other Regions' profile ARNs: this one's",
                   .entries = "profiles, `\"arn:...\": \"arn:...\"`",
                   .each = "an ARN or model id"});
}

template <class V, Of<RouteConfig> C>
void visit(V& v, C& c) {
    v(c.model, {"model", "as the client asks"});
    v(c.targets, {.key = "targets",
                  .comment = "in order of preference",
                  .entries = "maps, each with `region`"});
    v(c.spill_after,
      {"spill_after", "the same model elsewhere after this wait for quota", kNotNegative});
    v(c.degrade_after, {"degrade_after", "another model after this", kNotNegative});
    v(c.residency, {.key = "residency",
                    .comment = "any, us, eu, apac, jp, au, us-gov, ca, sa, me, af, il, mx",
                    .traits = kShowEmpty});
    v(c.mode, {.key = "mode", .comment = "enforce, observe", .unset = "unset: the file's"});
    v(c.right_size, {"right_size", "lower max_tokens to what answers have turned out to need"});
    v(c.max_output, {"max_output", "unset: max_tokens as the caller says", kCap});
}

template <class V, Of<ClientConfig> C>
void visit(V& v, C& c) {
    v(c.name, {"name"});
    v(c.key_sha256, {.key = "key_sha256",
                     .comment = "from `weir key new NAME`",
                     .traits = kOneWillDo | kLowerCase});
    v(c.access_key_id,
      {"access_key_id", "of a pair its SDK signs with; from `weir key new NAME --sigv4`"});
    v(c.secret_access_key, {.key = "secret_access_key",
                            .comment = "of that pair; best as ${NAME} or ${file:/path}",
                            .traits = kSecret});
    v(c.priority, {"priority", "interactive, standard, batch"});
    v(c.share, {"share",
                "weight against the others",
                {.least = 0,
                 .most = 1e6,
                 .least_excluded = true,
                 .otherwise = "must be above 0, at most 1000000"}});
    v(c.tokens_per_minute, {"tokens_per_minute", "unset: no limit of its own", kClientLimit});
    v(c.max_output, {"max_output", "unset: max_tokens as the caller says", kCap});
    v(c.requests_per_minute, {"requests_per_minute", "unset: no limit of its own", kClientLimit});
    v(c.max_in_flight,
      {"max_in_flight", "calls under way at once; unset: no limit of its own", kClientLimit});
    v(c.budget, {.key = "budget",
                 .comment = "what it may spend",
                 .traits = kWhole,
                 .unset = "{per_day: 20, per_month: 400}: in US dollars; unset: no limit"});
    v(c.models, {"models", "patterns with *; empty: all"});
    v(c.regions, {"regions", "empty: all"});
}

template <class V, Of<QueueConfig> C>
void visit(V& v, C& c) {
    v(c.deadline,
      {"deadline", "from arrival to the answer, or a stream's first content", kPositive});
    v(c.max_wait, {"max_wait", "of that, at most this in the queue", kPositive});
    v(c.target_wait, {"target_wait", "the wait that a standing overload is held to", kPositive});
    v(c.max_waiting, {"max_waiting", "calls; more are refused at once", kNotZero});
    v(c.order, {.key = "order",
                .comment = "fifo, adaptive_lifo, small_first",
                .traits = kShowEmpty,
                .words = "fifo, adaptive_lifo, small_first"});
}

template <class V, Of<RetryConfig> C>
void visit(V& v, C& c) {
    v(c.preset, {"preset", "weir; article: 5 sends, 1s doubling to 60s"});
    v(c.max_attempts, {"max_attempts",
                       "sends a call, the first included",
                       {.least = 1, .most = 100, .otherwise = "must be between 1 and 100"}});
    v(c.base_delay, {"base_delay", "doubles with each retry", kPositive});
    v(c.max_delay, {"max_delay", "and ends here"});
    v(c.jitter, {"jitter", "full: 0 to that delay; none: that and up to a tenth"});
    v(c.budget, {"budget",
                 "retries as a share of recent sends",
                 {.least = 0,
                  .most = 10,
                  .otherwise = "must be between 0 and 10: 0.2 is one retry in five sends"}});
    v(c.repeat_timeouts,
      {"repeat_timeouts", "true: also repeat what may have been served and paid for"});
}

template <class V, Of<BreakerConfig> C>
void visit(V& v, C& c) {
    v(c.preset, {"preset", "weir; article: 5 failures, 60s"});
    v(c.failures, {"failures", "in a row open it", kNotZero});
    v(c.failure_share, {"failure_share", "or this share, of at least 10", kShare});
    v(c.window, {"window", "in which that share is counted", kPositive});
    v(c.open_for, {"open_for", "then probes; doubles if they fail", kPositive});
    v(c.max_open, {"max_open", "and ends here"});
    v(c.probes, {"probes", "must all pass", kNotZero});
}

template <class V, Of<TimeoutsConfig> C>
void visit(V& v, C& c) {
    v(c.connect, {"connect", "to Bedrock, TLS included", kPositive, Effect::new_connections});
    v(c.first_event, {"first_event", "a stream's first content", kPositive});
    v(c.hold, {"hold", "then a stream's head and pings go out before its content", kPositive});
    v(c.idle, {"idle", "silence within a stream", kPositive});
    v(c.answer, {"answer", "a whole answer that is not a stream", kPositive});
    v(c.client_head,
      {"client_head", "a request's head; its body: as long, and 1 s for each 1,000 bytes",
       kPositive});
    v(c.client_idle, {"client_idle", "a client's idle connection", kPositive});
    v(c.drain_delay, {"drain_delay", "after SIGTERM accepting goes on this long", kNotNegative});
    v(c.drain, {"drain", "then what is under way may finish", kNotNegative});
    v(c.interim_100, {"interim_100",
                      "send HTTP/1.1 clients that wait `100 Continue` this often; unset: never",
                      {.least = 1, .otherwise = "must be 1s or longer; leave it out for none"}});
}

template <class V, Of<PoolConfig> C>
void visit(V& v, C& c) {
    v(c.max_connections, {"max_connections", "to Bedrock, per Region", kNotZero});
    v(c.idle, {"idle",
               "below 350s",
               {.least = 0,
                .most = 350,
                .least_excluded = true,
                .most_excluded = true,
                .otherwise = "must be above 0 and below 350s, after which AWS's NAT gateways and "
                             "load balancers drop idle connections without a word"}});
    v(c.keepalive, {"keepalive", "TCP keep-alive", kPositive, Effect::new_connections});
}

template <class V, Of<LimitsConfig> C>
void visit(V& v, C& c) {
    v(c.max_body, {"max_body", "a request's body", kNotZero, Effect::at_once, kSize});
    v(c.max_buffered, {.key = "max_buffered", .comment = "all bodies held", .traits = kSize});
    v(c.max_connections, {"max_connections", "from clients", kNotZero, Effect::new_connections});
    v(c.max_header,
      {"max_header",
       "a request's head",
       {.least = 4 << 10, .most = 16 << 20, .otherwise = "must be between 4KiB and 16MiB"},
       Effect::new_connections,
       kSize});
}

template <class V, Of<Config> C>
void visit(V& v, C& c) {
    v.heading("Where weir listens, and who may ask.");
    v(c.listen, {"listen",
                 "IP:PORT; beyond loopback needs clients with keys, or open (WEIR_LISTEN)",
                 {},
                 Effect::restart,
                 kOneWillDo});
    v(c.open, {"open", "true: anybody who reaches the port may ask (WEIR_OPEN)"});
    v(c.admin, {"admin",
                "metrics, health, status, reload; \"\": none (WEIR_ADMIN)",
                {},
                Effect::restart,
                kShowEmpty});
    v(c.admin_key_sha256, {.key = "admin_key_sha256",
                           .comment = "hash of the admin key; needed beyond loopback",
                           .traits = kLowerCase});
    v(c.admin_open, {"admin_open", "readable without that key: metrics, healthz, readyz, status"});
    v(c.allowed_hosts, {"allowed_hosts", "Host names besides loopback and the listen address"});
    v(c.workers, {"workers",
                  "threads; 0: one a core",
                  {.most = 1024, .otherwise = "is above 1024, the largest allowed"},
                  Effect::restart});
    v(c.state_file, {"state_file",
                     "keeps the use of quotas over a restart; \"\": none (STATE_DIRECTORY)",
                     {},
                     Effect::restart,
                     kShowEmpty});
    v(c.watch, {"watch",
                "true: reload when this file, or one that it names, has changed",
                {},
                Effect::restart});
    v(c.mode,
      {"mode", "enforce; observe: let all through as it came, and tell what would have been done"});
    v(c.tls, {.key = "tls",
              .comment = "serve HTTPS",
              .effect = Effect::restart,
              .unset = "{certificate: server.pem, key: server.key}: serve HTTPS"});
    v(c.shared, {.key = "shared",
                 .comment = "several instances share each quota through a Valkey or Redis",
                 .effect = Effect::restart,
                 .traits = kWhole,
                 .unset = "{url: \"rediss://HOST:6379\"}: share each quota with other instances"});

    v.heading("Where Bedrock is, and how to sign.");
    v(c.regions, {.key = "regions",
                  .unset = "empty: the Region each caller's signature names",
                  .entries = "Regions, `us-east-1: {}`"});
    v(c.default_region,
      {"default_region", "for unsigned calls; unset: AWS_REGION, AWS_DEFAULT_REGION"});
    v(c.credentials,
      {.key = "credentials", .comment = "for every Region without its own", .traits = kWhole});
    v(c.accounts, {.key = "accounts",
                   .unset = "{prod: {role_arn: \"arn:aws:iam::123456789012:role/weir\"}}: more "
                            "quotas, for targets that name one",
                   .entries = "accounts, `prod: {role_arn: ...}`"});
    v(c.aws, {.key = "aws", .comment = "where other calls to AWS go", .traits = kWhole});

    v.heading("What the service allows. What is absent is learned from its refusals.");
    v(c.quota_window, {"quota_window",
                       "how long a minute is; shorter in tests",
                       {.least = 0.1, .most = 3600, .otherwise = "must be between 100ms and 1h"}});
    v(c.quota_share, {"quota_share", "this instance's part of every quota", kShare});
    v(c.aliases, {.key = "aliases",
                  .comment = "ARN or nickname: model id",
                  .traits = kShowEmpty,
                  .entries = "model ids, `\"arn:...\": model`",
                  .each = "a model id"});
    v(c.quotas,
      {.key = "quotas", .comment = "per Region and model", .entries = "maps, each with `model`"});

    v.heading("Where else a model may be asked for. A model without a route stays in its Region.");
    v(c.routes, {.key = "routes", .entries = "maps, each with `model` and `targets`"});

    v.heading("Who may ask, and how much each may take.");
    v(c.clients, {.key = "clients", .entries = "maps, each with `name`"});

    v.heading("What it costs.");
    v(c.prices, {.key = "prices",
                 .comment = "US dollars a million tokens, instead of the built-in list",
                 .entries = "maps, each with `models`"});
    v(c.costs, {"costs"});

    v.heading("Waiting, trying again, giving a place a rest.");
    v(c.queue, {"queue"});
    v(c.retry, {"retry"});
    v(c.breaker, {"breaker"});

    v.heading("Times, connections, bounds.");
    v(c.timeouts, {"timeouts"});
    v(c.pool, {"pool"});
    v(c.limits, {"limits"});
    v(c.log, {"log"});
    v(c.explain, {"explain"});
    v(c.otlp, {.key = "otlp", .comment = "traces and metrics for OpenTelemetry"});
}

}  // namespace weir::policy
