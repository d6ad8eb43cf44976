// The admin port: health, metrics, status, reload. No credential, key or prompt is ever shown.
#pragma once

#include "gateway/alarm_actions.h"
#include "gateway/orders.h"
#include "net/server.h"

#include <weir/config.h>
#include <weir/result.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

/// What became of POST /reload.
struct ReloadAnswer {
    std::string error = {};  // empty: done
    std::string hash = {};   // of the configuration in force
    std::vector<std::string> applied = {};
    std::vector<std::string> needs_restart = {};
};

/// What became of GET /explain/ID.
struct ExplainAnswer {
    bool found = false;
    std::string text = {};  // JSON, or why there is none
};

/// What became of GET /costs.
struct CostsReply {
    bool good = false;
    std::string text = {};  // JSON, or what is wrong with the query
};

/// What the admin port shows and does, as functions, so that it knows nothing of the rest.
struct AdminParts {
    std::function<bool()> ready;
    std::function<std::string(bool open_metrics)> metrics;
    std::function<std::string()> status;
    std::function<std::string()> incidents;
    /// GET /costs, by what is behind its `?`: returns at once; `done` is called once, on any
    /// thread.
    std::function<void(std::string query, std::function<void(CostsReply)> done)> costs;
    /// GET /targets and /clients, POST /targets/..., /shed and /clients/...
    std::function<OrderReply(const OrderText&)> order;
    /// POST /sns. Empty, or gives null: no alarm may act.
    std::function<std::shared_ptr<AlarmActions>()> alarms;
    /// Starts a reload and returns at once; `done` is called once, on any thread. Empty: not
    /// offered.
    std::function<void(std::string_view peer, std::function<void(ReloadAnswer)> done)> reload;
    /// Looks for a request, and returns at once; `done` is called once, on any loop's thread.
    /// Empty: not offered.
    std::function<void(std::string id, std::function<void(ExplainAnswer)> done)> explain;
    /// GET /requests: lists recent ones, `done` as above. An error: the target's query is none.
    std::function<Result<void>(std::string_view target, std::function<void(std::string)> done)>
        requests;
    /// What the page reads: GET /events and GET /history.
    std::function<net::Task<void>(net::Downstream&)> events;
    std::function<net::Task<void>(net::Downstream&)> history;
};

/// Answers one request. `config` decides who may ask: its admin address, key, and what needs no
/// key.
net::Task<void> answer_admin(net::Downstream& downstream, const Config& config,
                             const AdminParts& parts);

/// An error in the shape of Bedrock's.
net::Task<void> refuse_admin(net::Downstream& downstream, int status, std::string_view type,
                             std::string message);

/// GET /healthz and /readyz, which both ports answer, except to a web page.
bool asks_health(const codec::Head& head);
net::Task<void> answer_health(net::Downstream& downstream, bool ready);

}  // namespace weir::gateway
