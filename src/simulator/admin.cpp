#include "simulator/admin.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <limits>

namespace weir::simulator {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxOrder = 1U << 20U;

std::string error_json(std::string_view message) {
    return Json{{"message", message}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Fault> read_fault(const Json& json, double elapsed) {
    if (!json.is_object()) {
        return failure("a fault is an object");
    }
    Fault fault;
    bool relative = false;
    for (const auto& [key, value] : json.items()) {
        if (key == "relative" && value.is_boolean()) {
            relative = value.get<bool>();
        } else if ((key == "from" || key == "to" || key == "probability") && value.is_number()) {
            (key == "from" ? fault.from
             : key == "to" ? fault.to
                           : fault.probability) = value.get<double>();
        } else if ((key == "region" || key == "model" || key == "kind") && value.is_string()) {
            (key == "region"  ? fault.region
             : key == "model" ? fault.model
                              : fault.kind) = value.get<std::string>();
        } else {
            return failure("unknown member or wrong type: " + key +
                           "; allowed: from, to, region, model, kind, probability, relative");
        }
    }
    if (relative) {
        fault.from += elapsed;
        fault.to += elapsed;
    }
    if (!parse_fault_kind(fault.kind)) {
        return failure("unknown kind: " + fault.kind + "; allowed: " + fault_kind_names());
    }
    FaultScript trial;
    if (!trial.add(fault)) {
        return failure("a fault's `from` must not be after its `to`, its probability lies in 0..1");
    }
    return fault;
}

double elapsed_now(const std::vector<Ledger*>& ledgers) {
    return ledgers.empty() ? 0 : ledgers.front()->elapsed(std::chrono::steady_clock::now());
}

struct Reply {
    int status = 200;
    std::string body;
};

Reply reply_to(std::string_view method, std::string_view path, std::string_view body,
               const std::vector<Ledger*>& ledgers) {
    if (method == "GET" && path == "/truth") {
        return {.status = 200, .body = truth_json(ledgers)};
    }
    if (method == "GET" && path == "/history") {
        return {.status = 200, .body = history_json(ledgers)};
    }
    if (method == "GET" && path == "/healthz") {
        return {.status = 200, .body = R"({"status":"ok"})"};
    }
    if (path != "/faults") {
        return {.status = 404,
                .body = error_json(
                    "GET /truth, GET /history, GET /faults, POST /faults, DELETE /faults")};
    }
    if (method == "POST") {
        const auto faults = read_faults(body, elapsed_now(ledgers));
        if (!faults) {
            return {.status = 400, .body = error_json(faults.error().message)};
        }
        for (Ledger* ledger : ledgers) {
            for (const Fault& fault : *faults) {
                ledger->add_fault(fault);
            }
        }
    } else if (method == "DELETE") {
        for (Ledger* ledger : ledgers) {
            ledger->clear_faults();
        }
    } else if (method != "GET") {
        return {.status = 405, .body = error_json("GET, POST or DELETE")};
    }
    return {
        .status = 200,
        .body = faults_json(ledgers.empty() ? std::vector<Fault>() : ledgers.front()->faults())};
}

}  // namespace

Result<std::vector<Fault>> read_faults(std::string_view body, double elapsed) {
    const Json document = Json::parse(body, nullptr, false);
    if (document.is_discarded()) {
        return failure("this is not JSON");
    }
    const Json list = document.is_array() ? document : Json::array({document});
    std::vector<Fault> faults;
    for (const Json& entry : list) {
        auto fault = read_fault(entry, elapsed);
        if (!fault) {
            return std::unexpected(fault.error());
        }
        faults.push_back(std::move(*fault));
    }
    return faults;
}

std::string truth_json(const std::vector<Ledger*>& ledgers) {
    Json all = Json::object();
    for (const Ledger* ledger : ledgers) {
        Json region = Json::object();
        for (const auto& [model, truth] : ledger->truth()) {
            region[model] = {{"accepted", truth.accepted},
                             {"throttled_requests", truth.throttled_requests},
                             {"throttled_tokens", truth.throttled_tokens},
                             {"throttled_daily", truth.throttled_daily},
                             {"faulted", truth.faulted},
                             {"delivered", truth.delivered},
                             {"cancelled", truth.cancelled},
                             {"rejected", truth.rejected},
                             {"input_tokens", truth.input_tokens},
                             {"output_tokens", truth.output_tokens},
                             {"delivered_tokens", truth.delivered_tokens},
                             {"in_flight", truth.in_flight},
                             {"max_in_flight", truth.max_in_flight},
                             {"broken", truth.broken},
                             {"cut_short", truth.cut_short},
                             {"overflowed", truth.overflowed},
                             {"tiers", truth.tiers},
                             {"guardrails", truth.guardrails}};
        }
        all[ledger->name()] = std::move(region);
    }
    return all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string history_json(const std::vector<Ledger*>& ledgers) {
    Json all = Json::object();
    for (const Ledger* ledger : ledgers) {
        Json calls = Json::array();
        for (const History::Call& call : ledger->history()) {
            Json entry{{"model", *call.model},
                       {"at", ledger->elapsed(call.at)},
                       {"held", call.held},
                       {"refused", call.refused}};
            if (call.settled) {
                entry["settled_at"] = ledger->elapsed(*call.settled);
                entry["cost"] = call.cost;
            }
            calls.push_back(std::move(entry));
        }
        all[ledger->name()] = std::move(calls);
    }
    return all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string faults_json(const std::vector<Fault>& faults) {
    Json list = Json::array();
    for (const Fault& fault : faults) {
        Json entry{{"from", fault.from}, {"kind", fault.kind}, {"probability", fault.probability}};
        if (fault.to < std::numeric_limits<double>::infinity()) {
            entry["to"] = fault.to;
        }
        if (!fault.region.empty()) {
            entry["region"] = fault.region;
        }
        if (!fault.model.empty()) {
            entry["model"] = fault.model;
        }
        list.push_back(std::move(entry));
    }
    return list.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

net::Task<void> serve_admin(net::Downstream& down, const std::vector<Ledger*>& ledgers) {
    std::string body;
    for (;;) {
        const auto piece = co_await down.read_body();
        if (!piece || body.size() > kMaxOrder) {
            co_return;
        }
        if (piece->empty()) {
            break;
        }
        body.append(*piece);
    }
    const std::string_view target = down.head().target;
    const Reply reply =
        reply_to(down.head().method, target.substr(0, target.find('?')), body, ledgers);
    co_await down.send(reply.status, "Content-Type: application/json\r\n", reply.body);
}

}  // namespace weir::simulator
