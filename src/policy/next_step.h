// What follows from a failed attempt, by what happened and what has been tried: a pure function, so
// that the whole table can be read and tested (tests/unit/policy/next_step_test.cpp). Whether there
// is room, time or budget for it is the engine's to find out.
#pragma once

#include "policy/class_rules.h"
#include "policy/unfit.h"

#include <weir/types.h>

#include <cstdint>

namespace weir::policy {

/// What happened, and what the call has been through.
struct Trouble {
    FailureClass cls = FailureClass::network;
    Stage stage = Stage::not_sent;  ///< begun: content is with the client
    bool blameless = false;         ///< Failure::blameless
    Misfit misfit = Misfit::none;   ///< what the error says of the target's fitness
    bool first_target = true;       ///< it was sent where the call was sent first
    bool stream = false;
    bool repeat_timeouts = false;       ///< retry.repeat_timeouts
    bool repeated_doubtful = false;     ///< what may have been paid has been sent again once
    bool refreshed = false;             ///< new credentials have been tried
    bool other_account = false;         ///< its route has targets with other credentials
    std::uint32_t server_failures = 0;  ///< at this target, of this call, before this one
};

enum class Next : std::uint8_t {
    wait_for_quota,  ///< back to the head of the queue; the attempt does not count
    ask_again,       ///< with the caller's own max_tokens
    same_again,      ///< here, with new credentials; the attempt does not count
    elsewhere,       ///< another target at once, else the queue; costs no budget
    repeat,          ///< likewise, after a pause here, and from the budget
    end,             ///< the error goes back to the client
};

struct NextStep {
    Next next = Next::end;
    bool bar = false;       ///< not to this target again
    bool doubtful = false;  ///< uses up the one repeat of what may have been paid
    bool unfit = false;     ///< the target has refused the call for what it is
};

NextStep next_step(const Trouble& trouble);

}  // namespace weir::policy
