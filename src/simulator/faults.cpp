#include "simulator/faults.h"

#include <array>
#include <cmath>
#include <utility>

namespace weir::simulator {
namespace {

constexpr std::array kNames{
    std::pair{FaultKind::unavailable, std::string_view("unavailable")},
    std::pair{FaultKind::too_many_connections, std::string_view("too_many_connections")},
    std::pair{FaultKind::overloaded, std::string_view("overloaded")},
    std::pair{FaultKind::overloaded_529, std::string_view("overloaded_529")},
    std::pair{FaultKind::not_ready, std::string_view("not_ready")},
    std::pair{FaultKind::internal, std::string_view("internal")},
    std::pair{FaultKind::model_timeout, std::string_view("model_timeout")},
    std::pair{FaultKind::model_error, std::string_view("model_error")},
    std::pair{FaultKind::access_denied, std::string_view("access_denied")},
    std::pair{FaultKind::expired_token, std::string_view("expired_token")},
    std::pair{FaultKind::daily_quota, std::string_view("daily_quota")},
    std::pair{FaultKind::reset, std::string_view("reset")},
    std::pair{FaultKind::garbage, std::string_view("garbage")},
    std::pair{FaultKind::first_event, std::string_view("first_event")},
    std::pair{FaultKind::mid_stream, std::string_view("mid_stream")},
    std::pair{FaultKind::mid_stream_reset, std::string_view("mid_stream_reset")},
    std::pair{FaultKind::hang, std::string_view("hang")},
    std::pair{FaultKind::slow, std::string_view("slow")},
};

}  // namespace

std::optional<FaultKind> parse_fault_kind(std::string_view name) {
    for (const auto& [kind, text] : kNames) {
        if (text == name) {
            return kind;
        }
    }
    return std::nullopt;
}

std::string_view to_string(FaultKind kind) {
    for (const auto& [candidate, text] : kNames) {
        if (candidate == kind) {
            return text;
        }
    }
    return "unknown";
}

std::string fault_kind_names() {
    std::string names;
    for (const auto& [kind, text] : kNames) {
        if (!names.empty()) {
            names += ", ";
        }
        names += text;
    }
    return names;
}

bool at_the_door(FaultKind kind) {
    switch (kind) {
        case FaultKind::model_timeout:
        case FaultKind::model_error:
        case FaultKind::garbage:
        case FaultKind::first_event:
        case FaultKind::mid_stream:
        case FaultKind::mid_stream_reset:
        case FaultKind::hang:
        case FaultKind::slow:
            return false;
        default:
            return true;
    }
}

bool FaultScript::add(const Fault& fault) {
    const auto kind = parse_fault_kind(fault.kind);
    const bool sane = std::isfinite(fault.from) && !std::isnan(fault.to) &&
                      fault.to >= fault.from && fault.probability >= 0 && fault.probability <= 1;
    if (!kind || !sane) {
        return false;
    }
    faults_.push_back(Armed{.fault = fault, .kind = *kind});
    return true;
}

std::vector<Fault> FaultScript::list() const {
    std::vector<Fault> faults;
    faults.reserve(faults_.size());
    for (const Armed& armed : faults_) {
        faults.push_back(armed.fault);
    }
    return faults;
}

std::optional<FaultKind> FaultScript::draw(std::string_view region, std::string_view model,
                                           double elapsed, Random& random) const {
    for (const auto& [fault, kind] : faults_) {
        const bool now = elapsed >= fault.from && elapsed < fault.to;
        const bool here = (fault.region.empty() || fault.region == region) &&
                          (fault.model.empty() || fault.model == model);
        if (now && here && (fault.probability >= 1 || random.uniform() < fault.probability)) {
            return kind;
        }
    }
    return std::nullopt;
}

}  // namespace weir::simulator
