#include "gateway/otlp_export.h"

#include "aws/gzip.h"
#include "gateway/clock.h"
#include "gateway/tracing.h"
#include "observe/life.h"
#include "observe/life_spans.h"
#include "policy/otlp_pairs.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
using observe::OtlpDrop;

constexpr Duration kPause = 1s;
constexpr std::chrono::milliseconds kLongestCall = 10s;
/// Of one request: an attempt of 200 packed bytes becomes some 2,000 of JSON, and collectors take
/// 20 MiB.
constexpr std::size_t kMostTraces = 512;
constexpr std::size_t kMostPacked = 1UL << 20;

std::string url_of(const OtlpConfig& otlp, std::string_view signal) {
    std::string url = otlp.endpoint;
    while (url.ends_with('/')) {
        url.pop_back();
    }
    return url.append("/v1/").append(signal);
}

/// Seconds or a date.
std::optional<Duration> retry_after_of(const aws::HttpAnswer& answer) {
    const std::string text = answer.header("retry-after");
    std::uint32_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error == std::errc() && end == text.data() + text.size()) {
        return std::chrono::seconds(seconds);
    }
    const auto date = text.empty() ? std::nullopt : aws::parse_http_date(text);
    return date ? std::optional<Duration>(std::chrono::seconds(*date - unix_ms() / 1000))
                : std::nullopt;
}

observe::ServerAddress address_in(const Snapshot& snapshot, std::string_view region,
                                  std::string_view endpoint) {
    const Service service = endpoint == "mantle" ? Service::mantle : Service::runtime;
    if (const auto found = snapshot.regions.find(region); found != snapshot.regions.end()) {
        const net::Endpoint& at = found->second->endpoint(service);
        return {at.host, at.port};
    }
    const auto at = net::Endpoint::parse(service_url(service, std::string(region), RegionConfig()));
    return at ? observe::ServerAddress{at->host, at->port} : observe::ServerAddress{};
}

}  // namespace

OtlpExport::OtlpExport(Parts parts)
    : parts_(std::move(parts)),
      to_traces_{"traces", observe::OtlpRetry(parts_.seed)},
      to_metrics_{"metrics", observe::OtlpRetry(parts_.seed + 1)},
      thread_(std::in_place, [this](bool) { return once(); }) {}

OtlpExport::~OtlpExport() {
    stop_ = true;
    thread_.reset();
    // What failed a moment ago may be taken now; what fails now is lost.
    const Instant end = now() + kLongestFlush;
    const std::atomic<bool> never{false};
    const auto snapshot = parts_.snapshot();
    const auto left = [&] {
        return std::chrono::duration_cast<std::chrono::milliseconds>(end - now());
    };
    to_traces_.retry.done();
    to_metrics_.retry.done();
    const OtlpConfig& otlp = snapshot->config.otlp;
    if (otlp_metrics_on(otlp) && left() > 0ms) {
        send_metrics(snapshot->config, {left() / 2, never});
    }
    while (traces_on(otlp) && left() > 0ms && next_traces(*snapshot)) {
        send_traces(snapshot->config, {left(), never});
        if (to_traces_.retry.failing()) {
            break;
        }
    }
    std::uint64_t lost = std::exchange(traces_.count, 0);
    lost += parts_.spans->take(SIZE_MAX, SIZE_MAX).size();
    if (lost > 0) {
        parts_.spans->counts.drop(OtlpDrop::late, lost);
        log(LogLevel::warn, std::to_string(lost) + " traces were not sent before the end");
    }
}

void OtlpExport::log(LogLevel level, const std::string& text) const {
    if (parts_.log) {
        parts_.log(level, text);
    }
}

Duration OtlpExport::once() {
    const auto snapshot = parts_.snapshot();
    const Config& config = snapshot->config;
    const Limits limits{kLongestCall, stop_};
    while (traces_on(config.otlp) && !limits.stop && next_traces(*snapshot)) {
        if (to_traces_.retry.hopeless(now())) {
            parts_.spans->counts.drop(OtlpDrop::late, std::exchange(traces_, {}).count);
            to_traces_.retry.gave_up();
            continue;
        }
        if (!to_traces_.retry.due(now())) {
            break;
        }
        send_traces(config, limits);
        if (to_traces_.retry.failing()) {
            break;
        }
    }
    if (otlp_metrics_on(config.otlp) && !limits.stop && now() >= metrics_due_ &&
        to_metrics_.retry.due(now())) {
        metrics_due_ = now() + config.otlp.metrics_every;
        send_metrics(config, limits);
    }
    return kPause;
}

/// Whether there is a batch to send: the one under way, or one of what waits.
bool OtlpExport::next_traces(const Snapshot& snapshot) {
    if (traces_.count > 0) {
        return true;
    }
    const auto lives = parts_.spans->take(kMostTraces, kMostPacked);
    std::vector<observe::Span> spans;
    const observe::AddressOf address = [&](std::string_view region, std::string_view endpoint) {
        return address_in(snapshot, region, endpoint);
    };
    for (const observe::TracedLife& one : lives) {
        if (const auto life = observe::unpack(one.packed)) {
            std::ranges::move(observe::spans_of(*life, one.trace, address),
                              std::back_inserter(spans));
        }
    }
    if (spans.empty()) {
        return false;
    }
    traces_.body = observe::otlp_traces(resource(snapshot.config.otlp), spans);
    traces_.count = lives.size();
    return true;
}

void OtlpExport::send_traces(const Config& config, const Limits& limits) {
    auto& counts = parts_.spans->counts;
    switch (post(config.otlp, to_traces_, traces_.body, limits)) {
        case Answer::taken:
            counts.take(traces_.count, to_traces_.rejected);
            break;
        case Answer::never:
            counts.drop(OtlpDrop::rejected, traces_.count);
            break;
        case Answer::later:
            return;
    }
    traces_ = {};
}

/// What fails is not sent again: the next export has it all, for it counts since the start.
void OtlpExport::send_metrics(const Config& config, const Limits& limits) {
    const observe::OtlpWindow window{parts_.started_unix_ms * 1'000'000, unix_ms() * 1'000'000};
    const auto made =
        observe::otlp_metrics(resource(config.otlp), window, parts_.scrape(), parts_.gen_ai());
    auto& counts = *parts_.points;
    switch (post(config.otlp, to_metrics_, made.body, limits)) {
        case Answer::taken:
            counts.take(made.points, to_metrics_.rejected);
            break;
        case Answer::never:
            counts.drop(OtlpDrop::rejected, made.points);
            break;
        case Answer::later:
            counts.drop(OtlpDrop::late, made.points);
            break;
    }
}

OtlpExport::Answer OtlpExport::post(const OtlpConfig& otlp, Signal& signal, const std::string& body,
                                    const Limits& limits) {
    aws::HttpCall call;
    call.method = "POST";
    call.url = url_of(otlp, signal.name);
    call.ca = otlp.ca;
    call.timeout = limits.longest;
    call.connect_timeout = std::min<std::chrono::milliseconds>(limits.longest, 5s);
    call.headers = {"Content-Type: application/json", "Expect:"};
    const auto fields = policy::parse_otlp_headers(otlp.headers);  // checked when it was read
    for (const auto& [name, value] : fields.value_or(policy::OtlpPairs())) {
        call.headers.push_back(value.empty() ? name + ";"
                                             : std::string(name).append(": ").append(value));
    }
    call.body = aws::gzipped(body);
    if (call.body.empty()) {
        call.body = body;
    } else {
        call.headers.emplace_back("Content-Encoding: gzip");
    }
    const auto answer = aws::perform(call, limits.stop);
    if (answer && answer->status >= 200 && answer->status < 300) {
        signal.retry.done();
        const auto read = observe::read_otlp_answer(answer->body);
        signal.rejected = read.rejected;
        if (read.rejected > 0 || !read.message.empty()) {
            complain(signal, "says that it rejected " + std::to_string(read.rejected) + " at " +
                                 call.url + ": " + read.message);
        } else if (std::exchange(signal.failing, false)) {
            log(LogLevel::info, "OpenTelemetry: the collector takes " + std::string(signal.name) +
                                    " again at " + call.url);
        }
        return Answer::taken;
    }
    if (limits.stop) {
        return Answer::later;
    }
    const long status = answer ? answer->status : 0;
    complain(signal, "does not take " + std::string(signal.name) + " at " + call.url + ": " +
                         (answer ? "status " + std::to_string(status) : answer.error().message));
    if (!observe::otlp_retryable(status)) {
        signal.retry.done();
        return Answer::never;
    }
    signal.retry.failed(now(), answer ? retry_after_of(*answer) : std::nullopt);
    return Answer::later;
}

/// Once, until it goes well again.
void OtlpExport::complain(Signal& signal, const std::string& what) {
    if (!std::exchange(signal.failing, true)) {
        log(LogLevel::warn, "OpenTelemetry: the collector " + what);
    }
}

observe::OtlpResource OtlpExport::resource(const OtlpConfig& otlp) const {
    return {otlp.service, parts_.instance, std::string(observe::weir_version()), otlp.attributes};
}

}  // namespace weir::gateway
