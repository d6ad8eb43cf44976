// Limits that nobody configured: what one instance learns of them, all do.
#include <algorithm>

#include "policy/shared_quota.h"

namespace weir::policy {

void SharedQuota::teach(Book book, const BookExchange::Learned& told) {
    BookExchange::Learned& news = news_.learned[index(book)];
    Learned& known = view_.learned[index(book)];
    if (told.limit > 0 && told.limit != known.limit && talk_.acknowledged > 0) {
        news.limit = told.limit;
        known = {told.limit, known.peak, std::max(known.confirmed, now_), false};
    }
    news.peak = std::max(news.peak, told.peak);
    news.refused = news.refused || told.refused;
    news.probes = told.probes;
}

void SharedQuota::note_limits(const BookAnswer& answer, Instant now) {
    // Books that have begun anew know nothing yet, and have forgotten nothing.
    const bool same = answer.epoch == view_.epoch && !answer.young;
    for (std::size_t b = 0; b < kLearned; ++b) {
        if (news_.learned[b].limit > 0) {
            continue;  // newer than the answer
        }
        const BookAnswer::Learned& told = answer.learned[b];
        Learned& known = view_.learned[b];
        const bool forgotten = same && told.limit == 0 && known.limit > 0;
        known = {told.limit, told.peak, now - told.confirmed, forgotten};
    }
}

}  // namespace weir::policy
