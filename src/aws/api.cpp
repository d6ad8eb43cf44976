#include "aws/api.h"

#include "aws/gzip.h"
#include "aws/http_call.h"
#include "aws/json_read.h"
#include "aws/source.h"
#include "aws/text.h"
#include "codec/hex.h"
#include "codec/sigv4.h"

#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <string_view>
#include <thread>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

// Of PutMetricData, the only operation here that takes it; the SDKs begin at the same size.
constexpr std::size_t kWorthCompressing = 10'240;
constexpr std::size_t kMostBytes = 8 << 20;
constexpr std::chrono::milliseconds kLongestDelay(20'000);
constexpr std::int64_t kSkewWorthAnother = 240;  // seconds; signatures may be five minutes old

struct ServiceFacts {
    std::string_view host;  // first label
    std::string_view signing_name;
    std::string_view version;  // query: of the API; json: of the protocol
    std::string_view target;   // json: what X-Amz-Target begins with
    const std::string AwsConfig::* endpoint;
};

const ServiceFacts& facts_of(ApiService service) {
    static constexpr std::array<ServiceFacts, 7> kFacts{{
        {"sts", "sts", "2011-06-15", "", &AwsConfig::sts},
        {"sns", "sns", "2010-03-31", "", &AwsConfig::sns},
        {"servicequotas", "servicequotas", "1.1", "ServiceQuotasV20190624",
         &AwsConfig::service_quotas},
        {"monitoring", "monitoring", "1.0", "GraniteServiceVersion20100801",
         &AwsConfig::cloudwatch},
        {"logs", "logs", "1.1", "Logs_20140328", &AwsConfig::logs},
        {"bedrock", "bedrock", "", "", nullptr},
        {"bedrock-runtime", "bedrock", "", "", nullptr},
    }};
    return kFacts[static_cast<std::size_t>(service)];
}

std::string without_slash(std::string url) {
    while (url.ends_with('/')) {
        url.pop_back();
    }
    return url;
}

/// `com.amazonaws.x#AccessDenied:http://...` is `AccessDenied`.
std::string bare_code(std::string_view code) {
    if (const auto hash = code.rfind('#'); hash != std::string_view::npos) {
        code.remove_prefix(hash + 1);
    }
    return excerpt(code.substr(0, code.find(':')), 100);
}

std::string text_member(const Json& object, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        if (object.is_object() && object.contains(name) && object[name].is_string()) {
            return object[name].get<std::string>();
        }
    }
    return "";
}

ApiError error_of(const HttpAnswer& answer) {
    ApiError error;
    error.status = answer.status;
    error.request_id = excerpt(answer.header("x-amzn-requestid"), 100);
    error.code = bare_code(answer.header("x-amzn-errortype"));
    const Json body = parse_json(answer.body);
    if (body.is_object()) {
        if (error.code.empty()) {
            error.code = bare_code(text_member(body, {"__type", "code", "Code"}));
        }
        error.message = excerpt(text_member(body, {"message", "Message"}), 500);
        return error;
    }
    pugi::xml_document document;
    if (document.load_buffer(answer.body.data(), answer.body.size())) {
        const auto found = document.select_node("//*[local-name()='Error']").node();
        error.code = bare_code(found.child_value("Code"));
        error.message = excerpt(found.child_value("Message"), 500);
        if (error.request_id.empty()) {
            error.request_id = excerpt(
                document.select_node("//*[local-name()='RequestId']").node().child_value(), 100);
        }
    }
    if (error.code.empty() && error.message.empty()) {
        error.message = excerpt(answer.body);
    }
    return error;
}

ApiError no_answer(std::string why) {
    return ApiError{0, "", std::move(why), ""};
}

bool sleeps(std::chrono::milliseconds time, const std::atomic<bool>& stop) {
    constexpr std::chrono::milliseconds kStep(50);
    for (; time > std::chrono::milliseconds::zero(); time -= kStep) {
        if (stop) {
            return false;
        }
        std::this_thread::sleep_for(std::min(time, kStep));
    }
    return !stop;
}

bool blames_the_clock(const ApiError& error) {
    return error.code == "RequestTimeTooSkewed" || error.code == "RequestExpired" ||
           error.code == "SignatureDoesNotMatch" || error.code == "InvalidSignatureException" ||
           error.code == "RequestInTheFuture";
}

}  // namespace

struct ApiClient::Exchange {
    std::string method = "POST";
    std::string target = "/";
    std::string content_type;
    std::string x_amz_target;
    std::string content_encoding;
    std::string body;
};

bool ApiError::denied() const {
    return status == 403 || code.starts_with("AccessDenied") || code == "UnauthorizedOperation" ||
           code == "AuthorizationError";
}

bool ApiError::throttled() const {
    return status == 429 || code.starts_with("Throttl") || code.starts_with("TooManyRequests") ||
           code == "RequestLimitExceeded" || code == "LimitExceeded";
}

std::string ApiError::text() const {
    std::string out = status == 0 ? "" : std::to_string(status);
    const auto add = [&out](std::string_view before, const std::string& part) {
        if (!part.empty()) {
            out += out.empty() ? part : std::string(before) + part;
        }
    };
    add(" ", code);
    add(": ", message);
    if (!request_id.empty()) {
        out += " (request " + request_id + ")";
    }
    return out;
}

ApiClient::ApiClient(AwsConfig config, const Environment& environment, Keys keys, ApiTiming timing)
    : config_(std::move(config)),
      ca_(variable(environment, "AWS_CA_BUNDLE").value_or("")),
      fips_(lower(variable(environment, "AWS_USE_FIPS_ENDPOINT").value_or("")) == "true"),
      keys_(std::move(keys)),
      timing_(timing) {}

std::string ApiClient::url(const ApiPlace& place) const {
    const ServiceFacts& facts = facts_of(place.service);
    if (!place.endpoint.empty()) {
        return without_slash(place.endpoint);
    }
    if (facts.endpoint != nullptr && !(config_.*facts.endpoint).empty()) {
        return without_slash(config_.*facts.endpoint);
    }
    if (!config_.endpoint.empty()) {
        return without_slash(config_.endpoint);
    }
    return "https://" + std::string(facts.host) + (fips_ ? "-fips." : ".") + place.region +
           ".amazonaws.com" + (place.region.starts_with("cn-") ? ".cn" : "");
}

ApiResult<std::string> ApiClient::send_once(const ApiPlace& place, const Exchange& exchange,
                                            const std::atomic<bool>& stop,
                                            bool& clock_moved) const {
    const auto keys = keys_ ? keys_() : nullptr;
    if (!keys) {
        return std::unexpected(no_answer("no credentials"));
    }
    HttpCall call;
    call.method = exchange.method;
    const std::string base = url(place);
    const auto host_begin = base.find("://") + 3;
    const auto host_end = std::min(base.find('/', host_begin), base.size());
    const std::string host = base.substr(host_begin, host_end - host_begin);
    const std::string target = base.substr(host_end) + exchange.target;
    call.url = base.substr(0, host_end) + target;
    call.body = exchange.body;
    call.connect_timeout = timing_.connect;
    call.timeout = timing_.answer;
    call.ca = ca_;
    call.most_bytes = kMostBytes;
    std::vector<codec::Field> fields{{"host", host}};
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty()) {
            fields.push_back({name, value});
            call.headers.push_back(std::string(name) + ": " + value);
        }
    };
    add("content-type", exchange.content_type);
    add("content-encoding", exchange.content_encoding);
    add("x-amz-target", exchange.x_amz_target);
    if (!keys->bearer_token.empty() && keys->access_key_id.empty()) {
        call.headers.push_back("authorization: Bearer " + keys->bearer_token);
    } else if (!keys->access_key_id.empty()) {
        codec::Signer signer{std::string(facts_of(place.service).signing_name)};
        const codec::SigningRequest request{exchange.method, target, fields,
                                            codec::sha256(exchange.body)};
        const codec::Signature& signature = signer.sign(
            request, {keys->access_key_id, keys->secret_access_key, keys->session_token},
            place.region, unix_now() + skew_.load());
        call.headers.push_back("authorization: " + signature.authorization);
        call.headers.push_back("x-amz-date: " + signature.amz_date);
        if (!keys->session_token.empty()) {
            call.headers.push_back("x-amz-security-token: " + keys->session_token);
        }
    }
    auto answer = perform(call, stop);
    if (!answer) {
        return std::unexpected(no_answer(answer.error().message));
    }
    if (answer->status >= 200 && answer->status < 300) {
        return std::move(answer->body);
    }
    ApiError error = error_of(*answer);
    if (const auto theirs = parse_http_date(answer->header("date"));
        theirs && blames_the_clock(error)) {
        const std::int64_t skew = *theirs - unix_now();
        clock_moved = std::abs(skew - skew_.load()) >= kSkewWorthAnother;
        if (clock_moved) {
            skew_ = skew;
        }
    }
    return std::unexpected(std::move(error));
}

ApiResult<std::string> ApiClient::send(const ApiPlace& place, const Exchange& exchange,
                                       const std::atomic<bool>& stop) const {
    std::minstd_rand random{std::random_device()()};
    auto most = timing_.delay;
    bool corrected = false;
    for (int attempt = 1;; ++attempt) {
        bool clock_moved = false;
        auto answer = send_once(place, exchange, stop, clock_moved);
        if (answer || stop) {
            return answer;
        }
        if (clock_moved && !corrected) {
            corrected = true;  // once a call, and not one of its attempts
            --attempt;
            continue;
        }
        const ApiError& error = answer.error();
        const bool passing = error.throttled() || error.status >= 500 ||
                             (error.status == 0 && error.message != "no credentials");
        if (!passing || attempt >= timing_.attempts) {
            return answer;
        }
        std::uniform_int_distribution<std::int64_t> delay(0, most.count());
        if (!sleeps(std::chrono::milliseconds(delay(random)), stop)) {
            return answer;
        }
        most = std::min(most * 2, kLongestDelay);
    }
}

ApiResult<Json> ApiClient::json(const ApiPlace& place, const std::string& operation,
                                const Json& input, const std::atomic<bool>& stop) const {
    const ServiceFacts& facts = facts_of(place.service);
    Exchange exchange;
    exchange.content_type = "application/x-amz-json-" + std::string(facts.version);
    exchange.x_amz_target = std::string(facts.target) + "." + operation;
    exchange.body = input.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (place.service == ApiService::cloudwatch && operation == "PutMetricData" &&
        exchange.body.size() >= kWorthCompressing) {
        std::string small = gzipped(exchange.body);
        if (!small.empty() && small.size() < exchange.body.size()) {
            exchange.body = std::move(small);
            exchange.content_encoding = "gzip";
        }
    }
    auto text = send(place, exchange, stop);
    if (!text) {
        return std::unexpected(std::move(text.error()));
    }
    Json answer = text->empty() ? Json::object() : parse_json(*text);
    if (!answer.is_object()) {
        return std::unexpected(ApiError{200, "", "the answer is not a JSON object", ""});
    }
    return answer;
}

ApiResult<pugi::xml_document> ApiClient::query(const ApiPlace& place, const std::string& operation,
                                               const Parameters& parameters,
                                               const std::atomic<bool>& stop) const {
    Exchange exchange;
    exchange.content_type = "application/x-www-form-urlencoded; charset=utf-8";
    exchange.body =
        "Action=" + operation + "&Version=" + std::string(facts_of(place.service).version);
    for (const auto& [name, value] : parameters) {
        exchange.body += "&" + codec::percent_encoded(name) + "=" + codec::percent_encoded(value);
    }
    auto text = send(place, exchange, stop);
    if (!text) {
        return std::unexpected(std::move(text.error()));
    }
    pugi::xml_document document;
    if (!document.load_buffer(text->data(), text->size())) {
        return std::unexpected(ApiError{200, "", "the answer is not XML", ""});
    }
    return document;
}

ApiResult<Json> ApiClient::rest(const ApiPlace& place, const std::string& method,
                                const std::string& target, const Json& input,
                                const std::atomic<bool>& stop) const {
    Exchange exchange;
    exchange.method = method;
    exchange.target = target;
    if (!input.is_null()) {
        exchange.content_type = "application/json";
        exchange.body = input.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    auto text = send(place, exchange, stop);
    if (!text) {
        return std::unexpected(std::move(text.error()));
    }
    Json answer = text->empty() ? Json::object() : parse_json(*text);
    if (answer.is_discarded()) {
        return std::unexpected(ApiError{200, "", "the answer is not JSON", ""});
    }
    return answer;
}

}  // namespace weir::aws
