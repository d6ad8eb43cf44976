// Targets that cannot serve a call: the model is missing, or there is no access to it.
#pragma once

#include <weir/time.h>
#include <weir/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/evidence.h"

namespace weir::policy {

/// The meaning of an error of the class `caller` for its target.
enum class Misfit : std::uint8_t {
    none,           ///< the call is wrong at any target
    model_gone,     ///< 404: the model is missing or retired
    no_access,      ///< 403: these credentials may not use it
    too_slow,       ///< 408: this model took too long for this call
    no_throughput,  ///< 400: the model is not offered on demand under this id
};
constexpr std::size_t kMisfits = 5;

/// An error that another target of the route may not give: the call goes on to the next one.
Misfit misfit(const Failure& failure);

/// Whether it may close the target for other calls too.
constexpr bool lasts(Misfit m) {
    return m != Misfit::none && m != Misfit::too_slow;
}

/// Decides when refusals close a target.
///
/// It is closed for five minutes for all clients when calls of two clients get the same error, and
/// for one client when three calls of that client do, in both cases without a success at the target
/// in between and at most ten minutes apart. A call that another target refuses in the same
/// way is its own cause: it no longer counts.
class UnfitRecord {
public:
    /// The driver's name for the call that closed it, and the error.
    struct Cause {
        std::string error;
        std::string call;
        std::string client;
    };

    /// True if it is closed by this.
    bool refused(Witness who, Instant now);
    void take_back(std::uint64_t call);
    /// A call succeeded here, or an operator says that one would.
    void fits();

    bool closed_for(std::uint64_t client, Instant now) const {
        return now < until_ && (everybody_ || client_ == client);
    }
    bool closed(Instant now) const { return now < until_; }
    bool for_everybody() const { return everybody_; }
    Instant until() const { return until_; }

    void set_cause(Cause cause) { cause_ = std::move(cause); }
    const Cause& cause() const { return cause_; }

    /// True once an hour for each kind: time to log it.
    bool worth_a_line(Misfit kind, Instant now);

private:
    std::array<Witness, 8> refusals_{};
    std::size_t count_ = 0;
    Instant last_ = Instant::min();
    Instant until_ = Instant::min();
    bool everybody_ = false;
    std::uint64_t client_ = 0;
    Cause cause_;
    std::array<Instant, kMisfits> next_line_{};
};

/// "404 ResourceNotFoundException: The model ...": one line, at most 200 characters of the message,
/// without control characters.
std::string describe(const Failure& failure);

}  // namespace weir::policy
