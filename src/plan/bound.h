// What nobody can do better.
#pragma once

#include "plan/survey.h"

namespace weir::plan {

struct Bound {
    double calls = 0;   ///< at most so many are served
    double tokens = 0;  ///< so many of what they would settle
    double by_count = 1;
    double by_tokens = 1;
};

/// An upper bound on what any scheduler serves, one that knows the future included.
///
/// Why it is one. A call that is served was taken by the service between its arrival and its
/// deadline, and from then on at least c = input + min(max_tokens, burndown x output) stood against
/// the quota of some target it may use: the service holds input + max_tokens until it settles input
/// + burndown x output. So of the calls that arrive in a piece of time, those served were all taken
/// within the piece and one deadline after it, and their c together is at most what the targets'
/// windows can take in that time: a quota for each window length begun (sliding), for each minute
/// touched (clock), or the bucket and its refill. The most calls that fit are the cheapest ones,
/// the last in part; the most tokens are what fits, and what is settled beyond c is given for
/// nothing. The trace may be cut into pieces anywhere, and the bounds of the pieces add up; the
/// best cut at whole window lengths is taken.
///
/// The callers' max_tokens is taken as given, but for fallbacks that allow less: whoever lowers it
/// below burndown x output holds less than c for a while.
///
/// It is generous: what is held in vain, requests by others and dead Regions cost nothing here. A
/// bucket gets in addition all that could at once be held in vain, for that may come back after the
/// bucket has been full; this takes for granted that no attempt is taken later than a deadline, the
/// longest service and a minute after its arrival.
Result<Bound> upper_bound(const Scenario& scenario, const Survey& survey);

}  // namespace weir::plan
