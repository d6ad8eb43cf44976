// What a quota pool and its meters take over from those that a reload replaces.
#include <algorithm>

#include "policy/quota_pool.h"

namespace weir::policy {

void QuotaPool::part(std::uint64_t kin, Instant now) {
    kin_ = kin;
    parted_ = now;
}

void QuotaPool::inherit(QuotaPool& from, Instant now) {
    const bool first = !has_inherited_;
    const bool kin = !first && kin_ != 0 && kin_ == from.kin_;
    const Instant shared_until = kin ? std::min(parted_, from.parted_) : Instant::min();
    tick(now);
    from.tick(now);
    for (std::size_t i = 0; i < meters_.size(); ++i) {
        meters_[i].inherit(from.meters_[i], first, shared_until, now);
    }
    if (output_ && from.output_) {
        output_->inherit(*from.output_, first, shared_until, now);
    }
    kin_ = first || kin ? from.kin_ : 0;
    parted_ = first ? from.parted_ : shared_until;
    pause_until_ = std::max(pause_until_, from.pause_until_);
    if (from.past_.active() && !past_.active()) {
        past_.begin(from.past_.start(), from.past_.until());
    }
    if (from.spell_.active()) {
        // Its probes are not ours to wait for: a few calls find out whether the spell lasts.
        const Instant opens = from.spell_.opens_at();
        pause_until_ = std::max(pause_until_, opens == Instant::max() ? now : opens);
        spell_.expect();
    }
    has_inherited_ = true;
}

void QuotaPool::hand_over(Reservation& reservation, QuotaPool& heir) {
    const bool stamped = reservation.is_stamped;
    for (std::size_t i = 0; i < meters_.size(); ++i) {
        meters_[i].hand_over(i == 0 ? 1 : reservation.tokens, stamped, reservation.trials[i],
                             heir.meters_[i]);
    }
    if (output_ && heir.output_) {
        output_->hand_over(reservation.output, stamped, reservation.output_trial, *heir.output_);
    }
    if (shared_ && !stamped) {
        shared_->give_back(reservation.shared, booked({reservation.tokens, reservation.output}));
    }
    reservation.shared = {};  // what was sent stays in the books of this one
    if (heir.shared_ && !stamped) {
        reservation.shared =
            heir.shared_->hold(heir.booked({reservation.tokens, reservation.output}));
    }
    spell_.lost(reservation.spell);
    reservation.spell = {};
    past_.lost(reservation.past);
    reservation.past = {};
    --outstanding_;
    ++heir.outstanding_;
    reservation.pool = &heir;
}

void Meter::inherit(Meter& from, bool first, Instant shared_until, Instant now) {
    log_.expire(now);
    from.log_.expire(now);
    log_.merge(from.log_, shared_until);
    refused_.expire(now);
    from.refused_.expire(now);
    refused_.merge(from.refused_, shared_until);
    if (first) {
        shapes_ = from.shapes_;
        learned_ = from.learned_;
    } else {
        shapes_.merge(from.shapes_, shared_until > now - log_.window());
        learned_.join(from.learned_);
    }
    foreign_.tokens = std::max(foreign_at(now), from.foreign_at(now));
    foreign_.since = now;
    beyond_.allowed = std::max(beyond_.allowed, from.beyond_.allowed);
    probes_.last = std::max(probes_.last, from.probes_.last);
    probes_.next = std::max(probes_.next, from.probes_.next);
    probes_.pause = std::max(probes_.pause, from.probes_.pause);
    returned_ = std::max(returned_, from.returned_);
    probes_.put_off_until = std::max(probes_.put_off_until, from.probes_.put_off_until);
    log_alone_until_ = std::max(log_alone_until_, from.log_alone_until_);
    set_ceiling();
}

void Meter::hand_over(std::uint64_t amount, bool stamped, Trial& trial, Meter& to) {
    const std::uint32_t doubt = trial.doubt;
    const double square = static_cast<double>(doubt) * doubt;
    const std::uint64_t expected = end_doubt(amount, trial);
    trial.doubt = doubt;
    to.under_way_.reserved += amount;
    to.set_doubts(to.under_way_.doubts + square);
    if (!stamped) {
        under_way_.expected -= expected;
        to.under_way_.expected += expected;
    }
    if (trial.beyond) {
        --beyond_.out;
        ++to.beyond_.out;
    }
    // Whether another refusal was answered after it was sent stays as it is.
    trial.refusals = trial.refusals == refusals_ ? to.refusals_ : to.refusals_ - 1;
}

}  // namespace weir::policy
