// The whole configuration as plain values with their defaults. The names are those of weir.yaml.
#pragma once

#include <weir/models.h>
#include <weir/result.h>
#include <weir/time.h>
#include <weir/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// Where credentials come from; docs/configuration.md has the chain's order.
enum class CredentialsSource : std::uint8_t { default_chain, static_keys, bearer, client_bearer };

struct CredentialsConfig {
    CredentialsSource source = CredentialsSource::default_chain;
    std::string access_key_id;
    std::string secret_access_key;
    std::string session_token;
    std::string bearer_token;  ///< source bearer; empty: AWS_BEARER_TOKEN_BEDROCK
    std::string profile;       ///< of the shared files; empty: AWS_PROFILE, else "default"
};

/// Another AWS account, with quotas of its own: the keys found elsewhere take on its role.
struct AccountConfig {
    std::string role_arn;      ///< empty: the keys of `profile` are the account's own
    std::string external_id;   ///< as the role's trust policy asks for it
    std::string session_name;  ///< empty: weir
    std::string profile;       ///< of the shared files; empty: the file's `credentials`
};

struct RegionConfig {
    std::string endpoint;          ///< URL; empty: https://bedrock-runtime.{region}.amazonaws.com
    std::string mantle_endpoint;   ///< URL; empty: https://bedrock-mantle.{region}.api.aws
    std::string control_endpoint;  ///< URL of the control plane; empty:
                                   ///< https://bedrock.{region}.amazonaws.com
    std::string ca;                ///< PEM file; empty: AWS_CA_BUNDLE, else the system's store
    std::string proxy;             ///< URL; empty: HTTPS_PROXY and NO_PROXY of the environment
    std::optional<CredentialsConfig> credentials;  ///< unset: the file's `credentials`
};

/// One pool of quota: its models share it. A limit that is absent is learned from 429s.
struct QuotaConfig {
    std::vector<std::string> models;  ///< with their geo prefix; aliases resolved
    std::string region;               ///< empty: a pool of this size in each Region
    std::string account;              ///< empty: a pool of this size in each account
    Endpoint endpoint = Endpoint::runtime;
    bool reserved = false;  ///< of the service tier `reserved`
    /// Separate input and output, without requests, days and burndown: mantle, reserved.
    bool apart() const { return reserved || endpoint == Endpoint::mantle; }
    std::optional<std::uint64_t> input_tokens_per_minute;
    std::optional<std::uint64_t> output_tokens_per_minute;
    std::optional<std::uint64_t> requests_per_minute;
    std::optional<std::uint64_t> tokens_per_minute;
    std::optional<std::uint64_t> tokens_per_day;
    std::optional<std::uint64_t> max_in_flight;  ///< calls under way at once; unset: no such limit
    std::optional<std::uint32_t> output_burndown;  ///< default: the model table
    bool reserve_burndown =
        false;  ///< the service multiplies max_tokens by the burndown at the start too
};

struct RouteTarget {
    std::string region;
    std::string model;  ///< empty: the route's own
    /// Adjacent targets with weights share the calls in proportion, by load; 0: none.
    std::uint32_t weight = 0;
    Endpoint endpoint = Endpoint::runtime;
    Tier tier = Tier::unset;  ///< written into each call; unset: as the call says
    /// as_asked: `/v1` on mantle; on runtime `/openai/v1` where the route has a target on mantle,
    /// else what the client wrote.
    ApiPath path = ApiPath::as_asked;
    /// Guardrails and profile ARNs of other Regions, and their equivalents here.
    std::map<std::string, std::string> guardrails = {};
    std::map<std::string, std::string> profiles = {};
    std::string account = {};  ///< of `accounts`; empty or "default": that of `credentials`
};

/// enforce: queue, move, refuse. observe: pass everything on unchanged, and report what would
/// have been done.
enum class Mode : std::uint8_t { enforce, observe };

struct RouteConfig {
    std::string model;
    std::optional<Mode> mode;          ///< unset: the file's
    std::vector<RouteTarget> targets;  ///< in order of preference
    Duration spill_after = std::chrono::seconds(2);
    Duration degrade_after = std::chrono::seconds(10);
    bool right_size = false;                  ///< lower max_tokens to what answers have needed
    std::optional<std::uint64_t> max_output;  ///< upper limit of max_tokens
    std::string residency = "any";  ///< any, us, eu, apac, jp, au, us-gov, ca, sa, me, af, il, mx
};

/// What tokens cost, in US dollars for a million: in place of the built-in price list, for what it
/// names. What stays unset is unknown.
struct PriceConfig {
    std::vector<std::string> models;  ///< globs with *, with their geo prefix, as on the wire
    std::string region;               ///< empty: any
    std::string account;              ///< empty: any
    Tier tier = Tier::unset;          ///< unset: any
    std::optional<double> input;
    std::optional<double> output;
    std::optional<double> cache_read;
    std::optional<double> cache_write;     ///< kept for five minutes
    std::optional<double> cache_write_1h;  ///< kept for an hour
};

/// What becomes of a client's calls once its money is spent.
enum class BudgetEnd : std::uint8_t {
    warn,   ///< they go on
    lower,  ///< they go on in the class `batch`
    refuse
};

/// What a client may spend, in US dollars, by UTC days and months.
struct BudgetConfig {
    std::optional<double> per_day;
    std::optional<double> per_month;
    double warn_at = 0.8;  ///< share of either at which the log, metrics and page warn
    BudgetEnd then = BudgetEnd::refuse;
};

struct ClientConfig {
    std::string name;
    std::vector<std::string> key_sha256;  ///< lower-case hex; any of them lets the client in
    /// A pair with which the client's SDK signs, as it would for AWS: both or neither.
    std::string access_key_id;
    std::string secret_access_key;
    Priority priority = Priority::standard;
    double share = 1;
    std::optional<std::uint64_t> tokens_per_minute;
    std::optional<std::uint64_t> requests_per_minute;
    std::optional<std::uint64_t> max_in_flight;  ///< calls under way at once; more wait
    std::optional<std::uint64_t> max_output;     ///< upper limit of max_tokens
    std::optional<BudgetConfig> budget;          ///< unset: none
    std::vector<std::string> models;             ///< globs with *; empty: all
    std::vector<std::string> regions;            ///< empty: all

    /// It has a credential. If one client has one, every caller needs one.
    bool keyed() const { return !key_sha256.empty() || !access_key_id.empty(); }
};

struct QueueConfig {
    Duration deadline = std::chrono::seconds(55);
    Duration max_wait = std::chrono::seconds(45);
    /// The wait that a queue in a standing overload is held to; a burst may use max_wait.
    /// (CoDel, RFC 8289.)
    Duration target_wait = std::chrono::seconds(2);
    std::size_t max_waiting = 10'000;
    std::string order = "fifo";  ///< fifo, adaptive_lifo, small_first
};

enum class Preset : std::uint8_t { weir, article };
enum class Jitter : std::uint8_t { full, none };

struct RetryConfig {
    Preset preset = Preset::weir;
    std::uint32_t max_attempts = 6;
    Duration base_delay = std::chrono::milliseconds(50);
    Duration max_delay = std::chrono::seconds(5);
    Jitter jitter = Jitter::full;
    double budget = 0.2;  ///< retries as a share of recent sends, plus one a second per target
    bool repeat_timeouts = false;
};

struct BreakerConfig {
    Preset preset = Preset::weir;
    std::uint32_t failures = 5;
    double failure_share = 0.5;
    Duration window = std::chrono::seconds(10);
    Duration open_for = std::chrono::seconds(5);
    Duration max_open = std::chrono::seconds(30);
    std::uint32_t probes = 3;
};

struct TimeoutsConfig {
    Duration connect = std::chrono::seconds(5);
    Duration first_event = std::chrono::seconds(300);
    /// A stream without content: after this its head and what the service has sent so far go to the
    /// client. A retry stays possible until content.
    Duration hold = std::chrono::seconds(3);
    Duration idle = std::chrono::seconds(300);
    Duration answer = std::chrono::seconds(3600);
    Duration client_head = std::chrono::seconds(10);
    Duration client_idle = std::chrono::seconds(75);
    Duration drain_delay = std::chrono::seconds(3);
    Duration drain = std::chrono::seconds(25);
    /// `100 Continue` to HTTP/1.1 clients that wait, this often; unset: never. At least 1 s.
    std::optional<Duration> interim_100;
};

struct PoolConfig {
    std::size_t max_connections = 4096;  ///< per Region, for the whole process
    Duration idle = std::chrono::seconds(300);
    Duration keepalive = std::chrono::seconds(45);
};

struct LimitsConfig {
    std::uint64_t max_body = 32ULL << 20;
    std::uint64_t max_buffered = 1ULL << 30;
    std::size_t max_connections = 20'000;
    std::size_t max_header = 64UL << 10;
};

struct LogConfig {
    LogLevel level = LogLevel::info;
    std::string format = "auto";  ///< auto (text on a terminal), text, json
    /// Share of the requests that get a line in the access log; those that waited, failed or were
    /// refused all get one.
    double sample = 1;
};

/// What is kept of requests for GET /explain/ID, over all workers; 0 of either: nothing.
struct ExplainConfig {
    std::uint64_t memory = 8ULL << 20;
    std::size_t requests = 20'000;
};

/// The ledger of tokens and money.
struct CostsConfig {
    std::string file;        ///< keeps it over a restart; empty: none
    std::size_t tags = 200;  ///< values of x-weir-tag a day; more are counted as `other`
    std::size_t days = 62;   ///< that are kept
};

/// OpenTelemetry, over OTLP/HTTP.
struct OtlpConfig {
    std::string endpoint;  ///< URL; empty: nothing is sent. /v1/traces and /v1/metrics are added
    std::string headers;   ///< of each request, as `name=value,name=value`, percent-encoded
    std::string ca;        ///< PEM file; empty: the system's store
    bool traces = true;
    bool metrics = true;
    double sample = 0.01;  ///< share of the traces that begin here
    /// Also traces of requests that failed, were refused or waited, whatever `sample` says.
    bool keep_trouble = true;
    Duration metrics_every = std::chrono::seconds(60);
    std::string service = "weir";                   ///< service.name
    std::map<std::string, std::string> attributes;  ///< of the resource, besides
};

struct TlsConfig {
    std::string certificate;
    std::string key;
};

/// One quota for several instances, whose books a Valkey or Redis keeps.
struct SharedConfig {
    std::string url;              ///< redis:// or rediss://[USER:PASSWORD@]HOST[:PORT][/DATABASE]
    std::string prefix = "weir";  ///< of every key
    std::string ca;               ///< PEM file; empty: AWS_CA_BUNDLE, else the system's store
    bool cluster = false;         ///< the server runs in cluster mode
};

/// off: on the admin port alone; cloudwatch: PutMetricData once a minute; emf: lines in the access
/// log that CloudWatch Logs turns into metrics.
enum class MetricsTo : std::uint8_t { off, cloudwatch, emf };

/// Weir's own metrics in CloudWatch, which charges for each series.
struct AwsMetricsConfig {
    MetricsTo to = MetricsTo::off;
    std::string name_space = "Weir";
    std::string region;            ///< where they go; empty: default_region
    std::size_t max_series = 500;  ///< more are not sent, and counted
};

/// What `weir alarms` makes. Who is told: an SNS topic's ARN, `email:ADDRESS` or an https URL.
struct AlarmsConfig {
    std::string prefix = "weir";  ///< of every name; what has another is never touched
    std::vector<std::string> critical;
    std::vector<std::string> warning;
    std::vector<std::string> info;
    std::string runbooks;          ///< URL of docs/runbooks, for links
    std::uint32_t throttles = 10;  ///< of a model in 5 minutes
    double quota_percent = 80;
    double success_percent = 95;
};

/// Who hears of incidents while they last.
struct IncidentsConfig {
    std::string topic;    ///< ARN of an SNS topic; empty: none
    std::string webhook;  ///< URL of an AWS DevOps Agent's; empty: none
    std::string secret;   ///< signs for the webhook
    std::string token;    ///< instead of it, sent as Authorization: Bearer
};

/// What a CloudWatch alarm may make weir do, as long as it lasts.
enum class AlarmAction : std::uint8_t {
    close,  ///< its targets
    drain,
    trip,  ///< the breakers of its targets
    shed   ///< calls of a class and of lower ones
};
struct ActionConfig {
    std::string topic;  ///< ARN of the SNS topic that the alarm tells
    std::string alarm;  ///< its name, with * for any text; empty: any
    AlarmAction act = AlarmAction::close;
    std::string region;  ///< of the targets; empty: any
    std::string model;   ///< likewise
    std::string account;
    Priority priority = Priority::batch;
    Duration lasts = std::chrono::minutes(15);
};

/// Where calls to AWS that are not inference go: URLs, for tests and VPC endpoints.
/// Empty: `endpoint`; where that is empty too, the service's own in the Region.
struct AwsConfig {
    std::string endpoint;
    std::string sts;
    std::string sso;     ///< portal.sso: keys of a role for an SSO session
    std::string oidc;    ///< renews SSO sessions
    std::string signin;  ///< renews sessions of `aws login`
    std::string service_quotas;
    std::string cloudwatch;
    std::string logs;
    std::string sns;
    /// Limits come from Service Quotas where `quotas` has none. Unset: in the Regions that have no
    /// `endpoint` of their own.
    std::optional<bool> read_quotas;
    Duration quotas_every = std::chrono::hours(1);
    AwsMetricsConfig metrics;
    AlarmsConfig alarms;
    IncidentsConfig incidents;
    std::vector<ActionConfig> actions;  ///< POST /sns of the admin port takes messages for these
};

struct Config {
    std::vector<std::string> listen{"127.0.0.1:7070"};
    bool open = false;  ///< listen beyond loopback without client keys
    std::string admin = "127.0.0.1:7071";
    std::string admin_key_sha256;  ///< lower-case hex; empty: none
    std::vector<std::string>
        admin_open;  ///< paths that need no key: metrics, healthz, readyz, status
    std::vector<std::string> allowed_hosts;
    std::size_t workers = 0;  ///< 0: one a core
    /// Keeps the use of quotas over a restart; empty: none. By default a file in $STATE_DIRECTORY.
    std::string state_file;
    bool watch = false;  ///< reload when the file, or a file that it names, has changed
    Mode mode = Mode::enforce;
    std::optional<TlsConfig> tls;
    std::optional<SharedConfig> shared;  ///< unset: this instance counts alone

    std::map<std::string, RegionConfig>
        regions;                 ///< empty: every Region a caller's signature names
    std::string default_region;  ///< empty: AWS_REGION, AWS_DEFAULT_REGION
    CredentialsConfig credentials;
    std::map<std::string, AccountConfig> accounts;  ///< beside that of `credentials`
    AwsConfig aws;

    Duration quota_window = std::chrono::seconds(60);
    double quota_share = 1;
    std::map<std::string, std::string> aliases;  ///< ARN or nickname -> model id
    std::vector<QuotaConfig> quotas;
    std::vector<RouteConfig> routes;
    std::vector<ClientConfig> clients;
    std::vector<PriceConfig> prices;  ///< the first that fits counts
    CostsConfig costs;

    QueueConfig queue;
    RetryConfig retry;
    BreakerConfig breaker;
    TimeoutsConfig timeouts;
    PoolConfig pool;
    LimitsConfig limits;
    LogConfig log;
    ExplainConfig explain;
    OtlpConfig otlp;

    ModelTable models;  ///< facts; bedrock::builtin_models() unless a program brings its own
};

/// One error in a configuration. `path` is a YAML path such as
/// `routes[0].targets[1].region`.
struct Problem {
    std::string path;
    std::string message;  ///< what is wrong, what is allowed

    bool operator==(const Problem&) const = default;
};

/// All errors of `config`; empty: none.
std::vector<Problem> validate(const Config& config);

/// The Config with its presets applied: retry or breaker times of the AWS article where selected.
RetryConfig resolved(const RetryConfig& retry);
BreakerConfig resolved(const BreakerConfig& breaker);

}  // namespace weir
