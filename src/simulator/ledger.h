// One Region's books: quotas, faults, dice, and what truly happened.
#pragma once

#include "simulator/answer.h"
#include "simulator/faults.h"
#include "simulator/quota.h"
#include "simulator/request.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::simulator {

enum class Ending : std::uint8_t { delivered, cancelled, faulted };

/// Thread-safe. Every admission ends exactly once: settle(), then end().
class Ledger {
public:
    Ledger(std::string region, const Settings& settings, std::uint64_t seed, Instant start);

    const std::string& region() const { return region_; }

    /// The name under which a model or its ARN is kept; nullopt: this Region does not have it.
    std::optional<std::string> find(std::string_view id);
    /// Configured models, or a few well-known ones where everything goes.
    std::vector<std::string> models() const;

    struct Admission {
        Verdict verdict = Verdict::accepted;
        Quota::Ticket ticket;
        Generation generation;
    };
    /// `model` as find() gave it.
    Admission admit(const std::string& model, const Ask& ask, std::uint64_t maximum, Instant now);
    /// The model has stopped: the quota pays for what had been read and written by then. Comes
    /// before the answer's last byte, so that whoever has read it finds the room it freed.
    void settle(const std::string& model, const Quota::Ticket& ticket, const TokenUse& used,
                Instant now);
    /// The exchange is over.
    void end(const std::string& model, const TokenUse& used, Ending ending);

    std::optional<FaultKind> draw_fault(std::string_view model, Instant now);
    void count_faulted(const std::string& model);
    void count_rejected(const std::string& model);
    std::string draw_request_id();

    bool add_fault(const Fault& fault);
    void clear_faults();
    std::vector<Fault> faults() const;
    double elapsed(Instant now) const { return to_seconds(now - start_); }
    std::map<std::string, Truth> truth() const;

private:
    struct Model {
        ModelSettings settings;
        Quota quota;
        Truth truth;
    };

    const std::string region_;
    const std::map<std::string, ModelSettings> configured_;
    const WindowKind kind_;
    const Duration window_;
    const std::uint64_t seed_;
    const Instant start_;

    mutable std::mutex mutex_;
    Random random_;
    FaultScript faults_;
    std::map<std::string, Model, std::less<>> models_;
};

}  // namespace weir::simulator
