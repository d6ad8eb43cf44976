// One Region's books: quotas, faults, dice, and what truly happened.
#pragma once

#include "simulator/answer.h"
#include "simulator/faults.h"
#include "simulator/history.h"
#include "simulator/quota.h"
#include "simulator/request.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::simulator {

enum class Ending : std::uint8_t { delivered, cancelled, broken };

/// Whether a ledger is a Region's bedrock-runtime or its bedrock-mantle.
enum class Side : std::uint8_t { runtime, mantle };

/// Thread-safe. Every admission ends exactly once: settle(), then end().
class Ledger {
public:
    Ledger(std::string region, const Settings& settings, std::uint64_t seed, Instant start,
           Side side = Side::runtime, const std::string& account = {});

    /// `REGION`, or `REGION/mantle`: its name in faults.
    const std::string& region() const { return region_; }
    /// Its name in truths: with the account before it, unless that is the one of `credentials`.
    const std::string& name() const { return name_; }
    Side side() const { return side_; }
    const ModelSettings& settings(const std::string& model) const;

    /// The name under which a model or its ARN is kept; nullopt: this Region does not have it.
    std::optional<std::string> find(std::string_view id);
    /// Configured models, or a few well-known ones where everything goes.
    std::vector<std::string> models() const;

    /// One of the two quotas is charged.
    struct Tickets {
        Quota::Ticket shared;
        std::optional<SplitQuota::Ticket> split;
        std::uint64_t number = 0;  ///< in the history; of those that are not split
    };
    struct Admission {
        Verdict verdict = Verdict::accepted;
        Tickets ticket;
        Generation generation;
    };
    /// `model` as find() gave it.
    Admission admit(const std::string& model, const Ask& ask, std::uint64_t maximum, Instant now);
    /// The model has stopped: the quota pays for what had been read and written by then. Comes
    /// before the answer's last byte, so that whoever has read it finds the room it freed.
    void settle(const std::string& model, const Tickets& ticket, const TokenUse& used, Instant now);
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
    /// Of the calls whose input and output are charged as one.
    std::vector<History::Call> history() const;

private:
    struct Model {
        ModelSettings settings;
        Quota quota;
        std::optional<SplitQuota> split;  // of mantle, or of the reserved tier
        Truth truth;
    };
    bool admit_split(Model& model, const Ask& ask, std::uint64_t maximum, Instant now,
                     Admission& admission);

    const std::string region_;
    const std::string name_;
    const Side side_;
    const std::map<std::string, ModelSettings> configured_;
    const WindowKind kind_;
    const Duration window_;
    const std::uint64_t seed_;
    const Instant start_;

    mutable std::mutex mutex_;
    Random random_;
    FaultScript faults_;
    std::map<std::string, Model, std::less<>> models_;
    History history_;
};

}  // namespace weir::simulator
