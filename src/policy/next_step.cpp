#include "policy/next_step.h"

namespace weir::policy {
namespace {

/// Sends of one call that one target may fail by its own fault.
constexpr std::uint32_t kServerSends = 2;

NextStep after_doubt(const Trouble& trouble, bool streams_only) {
    NextStep step;
    if (!trouble.repeat_timeouts) {
        if (trouble.repeated_doubtful || (streams_only && !trouble.stream)) {
            return step;
        }
        step.bar = streams_only;
    }
    step.next = Next::repeat;
    step.doubtful = true;
    return step;
}

}  // namespace

NextStep next_step(const Trouble& trouble) {
    NextStep step;
    if (trouble.stage == Stage::begun) {
        return step;
    }
    const ClassRule& rule = rule_of(trouble.cls);
    // What never left us was never served, whatever ended the wait for it.
    const bool unsent = rule.served == Served::perhaps && trouble.stage == Stage::not_sent;
    switch (unsent ? Course::repeat : rule.course) {
        case Course::next_turn:
            step.next = Next::wait_for_quota;
            break;
        case Course::ask_again:
            step.next = Next::ask_again;
            break;
        case Course::next_day:
            step.next = Next::elsewhere;
            break;
        case Course::repeat:
            step.next = trouble.blameless ? Next::elsewhere : Next::repeat;
            break;
        case Course::repeat_twice:
            step.next = Next::repeat;
            step.bar = trouble.server_failures + 1 >= kServerSends;
            break;
        case Course::repeat_safe:
            return after_doubt(trouble, true);
        case Course::repeat_once:
            return after_doubt(trouble, false);
        case Course::refresh:
            if (!trouble.refreshed) {
                step.next = Next::same_again;
            } else if (trouble.other_account) {
                step.next = Next::elsewhere;
                step.bar = true;
            }
            break;
        case Course::hand_back:
            if (trouble.misfit != Misfit::none || !trouble.first_target) {
                step.next = Next::elsewhere;
                step.bar = step.unfit = true;
            }
            break;
        case Course::end:
            break;
    }
    return step;
}

}  // namespace weir::policy
