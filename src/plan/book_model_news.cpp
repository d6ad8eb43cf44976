// What the books tell an instance of the others.
#include <utility>

#include "plan/book_model.h"

namespace weir::plan {

std::string BookModel::counter_name(const BookExchange::Backlog& of) {
    return std::to_string(of.cls) + of.client;
}

std::string BookModel::class_name(std::uint32_t cls) {
    return "c" + std::to_string(cls);
}

void BookModel::take_troubles(const std::string& name, const BookExchange& asked, Time now,
                              BookAnswer& answer) {
    troubles_.erase(name);
    for (const auto& trouble : asked.troubles) {
        troubles_[name].push_back({trouble, now + us(trouble.lasts)});
    }
    for (auto& [other, all] : troubles_) {
        std::erase_if(all, [&](const Trouble& t) { return t.until <= now; });
        for (const Trouble& t : all) {
            if (other != name) {
                answer.troubles.push_back({t.what.kind, t.what.model, from_us(t.until - now)});
            }
        }
    }
    std::erase_if(troubles_, [](const auto& entry) { return entry.second.empty(); });
}

double BookModel::refused(const std::string& name) const {
    const auto known = counters_.find(name);
    return known == counters_.end() ? 0 : known->second.refused;
}

void BookModel::tell_backlog(const std::string& name, const BookExchange& asked,
                             BookAnswer& answer) const {
    for (const auto& own : asked.backlog) {
        BookExchange::Backlog sum{own.cls, own.client, 0, 0, refused(counter_name(own))};
        for (const auto& [other, claim] : claims_) {
            for (const auto& theirs : claim.backlog) {
                if (other != name && theirs.client == own.client && theirs.cls == own.cls) {
                    sum.tokens += theirs.tokens;
                    sum.calls += theirs.calls;
                }
            }
        }
        answer.elsewhere.push_back(sum);
    }
    std::map<std::uint32_t, BookExchange::Backlog> classes;
    for (const auto& [other, claim] : claims_) {
        for (const auto& theirs : claim.backlog) {
            if (other != name) {
                auto& sum = classes[theirs.cls];
                sum.cls = theirs.cls;
                sum.tokens += theirs.tokens;
                sum.calls += theirs.calls;
            }
        }
    }
    for (std::uint32_t cls = 0; cls < kClasses; ++cls) {
        auto& sum = classes[cls];
        sum.cls = cls;
        sum.refused = refused(class_name(cls));
        if (sum.calls > 0 || sum.refused > 0) {
            answer.classes.push_back(sum);
        }
    }
}

void BookModel::tell_profile(Time now, Time window, BookAnswer& answer) const {
    answer.has_profile = true;
    for (std::size_t b = 0; b < kBooks; ++b) {
        const Time wide = width(static_cast<Book>(b), window);
        for (const auto& [bucket, amount] : logs_[b]) {
            if (amount > 0) {
                const Time age = std::max<Time>(0, now - (bucket + 1) * wide);
                const auto final = settled_[b].find(bucket);
                answer.profile.push_back({static_cast<Book>(b), bucket, from_us(age), amount,
                                          final == settled_[b].end() ? 0 : final->second});
            }
        }
    }
}

}  // namespace weir::plan
