#include "gateway/admin.h"

#include "codec/sigv4.h"
#include "gateway/admin_page.h"
#include "gateway/answer.h"
#include "gateway/identity.h"
#include "gateway/pending.h"
#include "gateway/query.h"
#include "gateway/sns_endpoint.h"
#include "observe/open_metrics.h"

#include <openssl/crypto.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace weir::gateway {
namespace {

constexpr std::string_view kText = "Content-Type: text/plain; charset=utf-8\r\n";
constexpr std::string_view kJson = "Content-Type: application/json\r\n";
constexpr std::string_view kPrometheusType = "text/plain; version=0.0.4; charset=utf-8";

net::Task<void> refuse(net::Downstream& downstream, int status, std::string_view type,
                       std::string message, std::string_view allow = "GET, HEAD") {
    ErrorAnswer error;
    error.status = status;
    error.type = type;
    error.message = std::move(message);
    std::string fields;
    append_error_fields(fields, error);
    if (status == 401) {
        codec::append_field(fields, "WWW-Authenticate", "Bearer");
    }
    if (status == 405) {
        codec::append_field(fields, "Allow", allow);
    }
    const auto body = error_body(error.message);
    co_await downstream.send(status, fields, body);
}

/// The path without its query and one trailing slash: probes are written both ways.
std::string_view health_path(std::string_view target) {
    target = target.substr(0, target.find('?'));
    if (target.size() > 1 && target.ends_with('/')) {
        target.remove_suffix(1);
    }
    return target;
}

bool may_ask(const codec::Head& head, std::string_view path, const Config& config) {
    const auto name = path.substr(std::min<std::size_t>(1, path.size()));
    if (std::ranges::find(config.admin_open, name) != config.admin_open.end()) {
        return true;
    }
    if (config.admin_key_sha256
            .empty()) {  // nobody elsewhere gets in without a key because there is none
        return is_loopback(host_part(config.admin));
    }
    const auto digest = codec::to_hex(codec::sha256(bearer_key(head)));
    return digest.size() == config.admin_key_sha256.size() &&
           CRYPTO_memcmp(digest.data(), config.admin_key_sha256.data(), digest.size()) == 0;
}

constexpr std::string_view kExplain = "/explain/";
constexpr std::size_t kLongestId = 128;

bool may_be_id(std::string_view id) {
    const auto plain = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.';
    };
    return !id.empty() && id.size() <= kLongestId && std::ranges::all_of(id, plain);
}

net::Task<void> answer_explain(net::Downstream& downstream, std::string id,
                               const AdminParts& parts) {
    if (!may_be_id(id)) {
        co_await refuse(downstream, 400, "ValidationException",
                        "weir: GET /explain/ID needs the value of an answer's x-weir-request-id "
                        "or x-amzn-RequestId");
        co_return;
    }
    const auto pending = std::make_shared<Pending<ExplainAnswer>>(downstream.loop());
    auto done = answer_to(pending, downstream.loop());
    parts.explain(std::move(id), std::move(done));
    co_await pending->done.wait();
    if (pending->answer.found) {
        co_await downstream.send(200, kJson, pending->answer.text);
    } else {
        co_await refuse(downstream, 404, "ResourceNotFoundException", pending->answer.text);
    }
}

net::Task<void> answer_metrics(net::Downstream& downstream, const AdminParts& parts) {
    const auto* accept = downstream.head().find("accept");
    const bool open = accept != nullptr && observe::accepts_open_metrics(*accept);
    std::string fields = "Vary: Accept\r\n";
    codec::append_field(fields, "Content-Type", open ? observe::kOpenMetricsType : kPrometheusType);
    const auto body = parts.metrics(open);
    co_await downstream.send(200, fields, body);
}

net::Task<void> answer_costs(net::Downstream& downstream, const AdminParts& parts) {
    std::string query(query_of(downstream.head().target));
    const auto pending = std::make_shared<Pending<CostsReply>>(downstream.loop());
    auto done = answer_to(pending, downstream.loop());
    parts.costs(std::move(query), std::move(done));
    co_await pending->done.wait();
    if (pending->answer.good) {
        co_await downstream.send(200, kJson, pending->answer.text);
    } else {
        co_await refuse(downstream, 400, "ValidationException", pending->answer.text);
    }
}

net::Task<void> answer_requests(net::Downstream& downstream, const AdminParts& parts) {
    const auto pending = std::make_shared<Pending<std::string>>(downstream.loop());
    auto done = answer_to(pending, downstream.loop());
    const auto asked = parts.requests(downstream.head().target, std::move(done));
    if (!asked) {
        co_await refuse(downstream, 400, "ValidationException", asked.error().message);
        co_return;
    }
    co_await pending->done.wait();
    co_await downstream.send(200, kJson, pending->answer);
}

std::string reload_json(const ReloadAnswer& answer) {
    return nlohmann::ordered_json{{"reloaded", true},
                                  {"configuration", answer.hash},
                                  {"applied", answer.applied},
                                  {"needs_restart", answer.needs_restart}}
        .dump();
}

bool is_order(std::string_view path) {
    return path == "/targets" || path.starts_with("/targets/") || path == "/shed" ||
           path == "/clients" || path.starts_with("/clients/");
}

constexpr std::size_t kLongestOrderText = 16UL << 10;

net::Task<void> answer_order(net::Downstream& downstream, std::string_view path,
                             const AdminParts& parts) {
    const auto& head = downstream.head();
    const bool list = path == "/targets" || path == "/clients";
    const bool fits = list ? head.method == "GET" || head.method == "HEAD" : head.method == "POST";
    if (!fits) {
        co_await refuse(downstream, 405, "ValidationException",
                        "weir: GET /targets and GET /clients list what there is; orders are given "
                        "with POST",
                        list ? "GET, HEAD" : "POST");
        co_return;
    }
    std::string body;
    while (!list) {
        const auto piece = co_await downstream.read_body();
        if (!piece) {
            co_return;
        }
        if (piece->empty()) {
            break;
        }
        if (body.size() + piece->size() > kLongestOrderText) {
            co_await refuse(downstream, 413, "ValidationException",
                            "weir: the body of an order has 16 KiB at most");
            co_return;
        }
        body.append(*piece);
    }
    OrderText text;
    text.post = !list;
    text.path = path;
    text.query = query_of(head.target);
    text.body = body;
    text.peer = downstream.peer();
    const OrderReply reply = parts.order(text);
    if (reply.status == 200) {
        co_await downstream.send(200, kJson, reply.body);
    } else {
        co_await refuse(downstream, reply.status, reply.type, reply.body);
    }
}

}  // namespace

net::Task<void> refuse_admin(net::Downstream& downstream, int status, std::string_view type,
                             std::string message) {
    return refuse(downstream, status, type, std::move(message));
}

bool asks_health(const codec::Head& head) {
    const auto path = health_path(head.target);
    return (path == "/healthz" || path == "/readyz") && !is_web_page(head);
}

net::Task<void> answer_health(net::Downstream& downstream, bool ready) {
    const auto& head = downstream.head();
    if (head.method != "GET" && head.method != "HEAD") {
        co_await refuse(downstream, 405, "ValidationException", "weir: health is asked with GET");
        co_return;
    }
    const bool good = health_path(head.target) == "/healthz" || ready;
    co_await downstream.send(good ? 200 : 503, kText, good ? "ok\n" : "draining\n");
}

net::Task<void> answer_admin(net::Downstream& downstream, const Config& config,
                             const AdminParts& parts) {
    const auto& head = downstream.head();
    const auto path = head.target.substr(0, head.target.find('?'));
    if (asks_health(head)) {
        co_await answer_health(downstream, parts.ready());
        co_return;
    }
    if (path == "/sns" && parts.alarms) {
        std::shared_ptr<AlarmActions> actions = parts.alarms();
        co_await answer_sns(downstream, std::move(actions));
        co_return;
    }
    const bool page = path == "/";
    if (auto why = page || is_own_page(head)
                       ? host_refusal(head, {config.admin}, config.allowed_hosts)
                       : browser_refusal(head, {config.admin}, config.allowed_hosts);
        !why.empty()) {
        co_await refuse(downstream, 403, "AccessDeniedException", std::move(why));
        co_return;
    }
    if (page) {
        co_await answer_page(downstream);
        co_return;
    }
    if (!may_ask(head, path, config)) {
        co_await refuse(downstream, 401, "AccessDeniedException",
                        "weir: this needs Authorization: Bearer with the admin key");
        co_return;
    }
    const bool reading = head.method == "GET" || head.method == "HEAD";
    if (path == "/metrics" || path == "/status" || (path == "/incidents" && parts.incidents)) {
        if (!reading) {
            co_await refuse(downstream, 405, "ValidationException", "weir: this is read with GET");
            co_return;
        }
        if (path == "/metrics") {
            co_await answer_metrics(downstream, parts);
            co_return;
        }
        const auto body = path == "/incidents" ? parts.incidents() : parts.status();
        co_await downstream.send(200, kJson, body);
        co_return;
    }
    if (path == "/costs" && parts.costs) {
        if (!reading) {
            co_await refuse(downstream, 405, "ValidationException", "weir: this is read with GET");
            co_return;
        }
        co_await answer_costs(downstream, parts);
        co_return;
    }
    if (parts.order && is_order(path)) {
        co_await answer_order(downstream, path, parts);
        co_return;
    }
    if (path.starts_with(kExplain) && parts.explain) {
        if (!reading) {
            co_await refuse(downstream, 405, "ValidationException", "weir: this is read with GET");
            co_return;
        }
        co_await answer_explain(downstream, std::string(path.substr(kExplain.size())), parts);
        co_return;
    }
    if (path == "/requests" && parts.requests) {
        if (!reading) {
            co_await refuse(downstream, 405, "ValidationException", "weir: this is read with GET");
            co_return;
        }
        co_await answer_requests(downstream, parts);
        co_return;
    }
    if ((path == "/events" && parts.events) || (path == "/history" && parts.history)) {
        if (head.method != "GET") {
            co_await refuse(downstream, 405, "ValidationException", "weir: this is read with GET");
            co_return;
        }
        co_await (path == "/events" ? parts.events : parts.history)(downstream);
        co_return;
    }
    if (path == "/reload") {
        if (head.method != "POST") {
            co_await refuse(downstream, 405, "ValidationException", "weir: reload with POST");
            co_return;
        }
        if (!parts.reload) {
            co_await refuse(downstream, 404, "ResourceNotFoundException",
                            "weir: there is no file to reload: weir was started without one");
            co_return;
        }
        const auto pending = std::make_shared<Pending<ReloadAnswer>>(downstream.loop());
        auto done = answer_to(pending, downstream.loop());
        parts.reload(downstream.peer(), std::move(done));
        co_await pending->done.wait();
        if (pending->answer.error.empty()) {
            const auto body = reload_json(pending->answer);
            co_await downstream.send(200, kJson, body);
        } else {
            co_await refuse(downstream, 400, "ValidationException", pending->answer.error);
        }
        co_return;
    }
    co_await refuse(
        downstream, 404, "ResourceNotFoundException",
        "weir: the admin port has /, /healthz, /readyz, /metrics, /status, /events, /history, "
        "/incidents, /costs, /requests, /explain/ID, /targets, /clients and POST /reload, "
        "/targets/close, /targets/drain, /targets/open, /shed, /clients/pause, /clients/resume");
}

}  // namespace weir::gateway
