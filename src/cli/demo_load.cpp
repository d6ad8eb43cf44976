#include "cli/demo_load.h"

#include "codec/eventstream.h"
#include "simulator/answer.h"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace weir::cli {
namespace {

Instant now() {
    return std::chrono::steady_clock::now();
}

std::int64_t wall_seconds() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string encode_model(const std::string& model) {
    std::string out;
    for (const char c : model) {
        if (c == ':') {
            out += "%3A";
        } else {
            out += c;
        }
    }
    return out;
}

std::string body_of(const DemoTrace& trace, const DemoCall& call) {
    using Json = nlohmann::json;
    return Json{
        {"messages", Json::array({{{"role", "user"},
                                   {"content", Json::array({{{"text", make_prompt(call)}}})}}})},
        {"inferenceConfig", {{"maxTokens", trace.max_tokens}}}}
        .dump();
}

/// Whole: every message there, messageStop among them, no exception.
bool stream_is_whole(std::string_view bytes) {
    bool stopped = false;
    while (!bytes.empty()) {
        codec::EventMessage message;
        const auto taken = codec::read_event(bytes, message);
        if (!taken || !*taken || message.message_type() != "event") {
            return false;
        }
        stopped = stopped || message.event_type() == "messageStop";
        bytes.remove_prefix(**taken);
    }
    return stopped;
}

}  // namespace

struct DemoLoad::Answer {
    int status = 0;  // 0: no answer at all
    std::string error_type;
    std::optional<double> retry_after;  // seconds, uncompressed
    bool whole = false;
};

struct DemoLoad::Call {
    const DemoCall* what = nullptr;
    std::string path;
    std::string body;
    codec::Digest digest{};
    std::string invocation;
};

DemoLoad::DemoLoad(net::Loop& loop, const DemoTrace& trace, Settings settings)
    : loop_(loop),
      trace_(trace),
      settings_(std::move(settings)),
      compression_(settings_.compression),
      random_(settings_.seed),
      signer_("bedrock"),
      buckets_(trace.clients.size()),
      outcomes_(trace.calls.size()) {
    for (const std::string& url : settings_.urls) {
        auto endpoint = net::Endpoint::parse(url);
        pools_.push_back(
            std::make_unique<net::Pool>(loop_, std::move(endpoint.value()), net::PoolSettings{}));
    }
}

DemoLoad::~DemoLoad() = default;

DemoRow DemoLoad::row() const {
    DemoRow row;
    row.key = settings_.key;
    row.name = settings_.name;
    row.outcomes = outcomes_;
    return row;
}

net::Task<void> DemoLoad::run(Instant start) {
    for (std::uint32_t i = 0; i < trace_.calls.size(); ++i) {
        const Instant due = start + compressed(trace_.calls[i].at);
        if (const Instant at = now(); at < due) {
            co_await loop_.sleep(due - at);
        }
        ++open_;
        loop_.spawn(call(i, now()));
    }
    while (open_ > 0) {
        co_await loop_.sleep(std::chrono::milliseconds(20));
    }
    for (const auto& pool : pools_) {
        pool->close_idle();
    }
    finished_.store(true, std::memory_order_release);
}

net::Task<void> DemoLoad::call(std::uint32_t index, Instant arrival) {
    Call call;
    call.what = &trace_.calls[index];
    call.path = "/model/" + encode_model(settings_.model) +
                (call.what->stream ? "/converse-stream" : "/converse");
    call.body = body_of(trace_, *call.what);
    call.digest = codec::sha256(call.body);
    call.invocation = simulator::make_uuid(random_);
    const Instant deadline = arrival + compressed(kDemoPatience);

    bool served = co_await try_region(call, 0, deadline);
    if (!served && settings_.strategy == Strategy::sdk_then_other && now() < deadline) {
        served = co_await try_region(call, 1, deadline);
    }
    const Instant end = now();
    DemoOutcome& outcome = outcomes_[index];
    outcome.call = index;
    outcome.served = served && end <= deadline;
    outcome.seconds = to_seconds(end - arrival) * compression_;
    --open_;
    ended_.fetch_add(1, std::memory_order_relaxed);
    served_.fetch_add(outcome.served ? 1 : 0, std::memory_order_relaxed);
}

/// One SDK client's call: attempts until it is served or its retries are used up.
net::Task<bool> DemoLoad::try_region(const Call& call, std::size_t place, Instant deadline) {
    plan::SdkRetry& bucket = buckets_[call.what->client];
    std::optional<plan::CallError> last;
    for (int number = 1;; ++number) {
        const Answer answer = co_await attempt(call, place, number, deadline);
        if (answer.whole) {
            bucket.succeeded(last);
            co_return true;
        }
        // A stream that broke after its head has been given to the program is not retried.
        const plan::CallError error =
            answer.status == 200 ? plan::CallError::other
                                 : plan::classify_for_sdk(answer.status, answer.error_type);
        const double dice = random_.uniform();
        const auto delay = settings_.strategy == Strategy::article
                               ? plan::article_delay(number, error, dice)
                               : bucket.delay(number, error, answer.retry_after, dice);
        if (!delay) {
            co_return false;
        }
        last = error;
        const Duration wait = compressed(*delay);
        if (now() + wait >= deadline) {
            // Whoever waits for the answer gives up at the deadline, in the middle of the backoff.
            const Duration rest = std::max(Duration{}, deadline - now());
            co_await loop_.sleep(rest);
            co_return false;
        }
        co_await loop_.sleep(wait);
    }
}

std::string DemoLoad::head_of(const Call& call, std::size_t place, int number,
                              std::size_t place_host) {
    const std::string& authority = pools_[place_host]->endpoint().authority;
    const codec::Field fields[] = {{"host", authority}, {"content-type", "application/json"}};
    const codec::SigningRequest request{
        .method = "POST", .target = call.path, .headers = fields, .body = call.digest};
    const codec::Signature signature =
        signer_.sign(request, settings_.credentials, settings_.regions[place], wall_seconds());
    std::string head;
    codec::append_request_line(head, "POST", call.path);
    codec::append_field(head, "Host", authority);
    codec::append_field(head, "Content-Type", "application/json");
    codec::append_field(head, "X-Amz-Date", signature.amz_date);
    codec::append_field(head, "Authorization", signature.authorization);
    codec::append_field(head, "User-Agent",
                        "weir-demo/1.0 app/" + trace_.clients[call.what->client]);
    codec::append_field(head, "amz-sdk-invocation-id", call.invocation);
    codec::append_field(head, "amz-sdk-request", fmt::format("attempt={}; max=3", number));
    codec::append_field(head, "Content-Length", std::to_string(call.body.size()));
    head += "\r\n";
    return head;
}

net::Task<DemoLoad::Answer> DemoLoad::attempt(const Call& call, std::size_t place, int number,
                                              Instant deadline) {
    Answer answer;
    net::Pool& pool = *pools_[std::min(place, pools_.size() - 1)];
    net::Pool::Interrupt interrupt;
    auto acquired = co_await pool.acquire(false, interrupt);
    if (!acquired) {
        co_return answer;
    }
    std::unique_ptr<net::Upstream> connection = std::move(*acquired);
    connection->set_deadline(std::max(Duration(1), deadline - now()));
    const std::string head = head_of(call, place, number, std::min(place, pools_.size() - 1));
    const auto written = co_await connection->write(head, call.body);
    if (!written) {
        pool.release(std::move(connection), false);
        co_return answer;
    }
    const auto received = co_await connection->read_head();
    if (!received) {
        pool.release(std::move(connection), false);
        co_return answer;
    }
    answer.status = (*received)->status;
    if (const auto* type = (*received)->find("x-amzn-errortype")) {
        answer.error_type = std::string(type->substr(0, type->find(':')));
    }
    if (const auto* hint = (*received)->find("x-amz-retry-after")) {
        double ms = 0;
        if (std::from_chars(hint->data(), hint->data() + hint->size(), ms).ec == std::errc()) {
            answer.retry_after = ms / 1000 * compression_;
        }
    }
    std::string body;
    bool complete = false;
    for (;;) {
        const auto piece = co_await connection->read_body();
        if (!piece) {
            break;
        }
        if (piece->empty()) {
            complete = true;
            break;
        }
        body.append(*piece);
    }
    connection->clear_deadline();
    pool.release(std::move(connection), complete);
    answer.whole =
        complete && answer.status == 200 && (!call.what->stream || stream_is_whole(body));
    co_return answer;
}

}  // namespace weir::cli
