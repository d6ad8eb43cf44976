// The latest traced request in each bucket of a histogram.
#pragma once

#include "observe/trace_context.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::observe {

struct Exemplar {
    double value = 0;
    TraceId trace;  ///< not valid: there is none
    std::int64_t unix_ms = 0;
};

/// By the histogram's name and the value of its only label. As many as the label has values; not
/// thread-safe.
class Exemplars {
public:
    void keep(std::string_view histogram, std::string_view label, const std::vector<double>& bounds,
              const Exemplar& exemplar) {
        auto& buckets = kept_[{std::string(histogram), std::string(label)}];
        buckets.resize(bounds.size() + 1);
        const auto at = std::ranges::lower_bound(bounds, exemplar.value) - bounds.begin();
        buckets[static_cast<std::size_t>(at)] = exemplar;
    }

    /// Null: none.
    const Exemplar* find(const std::string& histogram, const std::string& label,
                         std::size_t bucket) const {
        const auto found = kept_.find({histogram, label});
        if (found == kept_.end() || bucket >= found->second.size() ||
            !found->second[bucket].trace.valid()) {
            return nullptr;
        }
        return &found->second[bucket];
    }

    void clear() { kept_.clear(); }

private:
    std::map<std::pair<std::string, std::string>, std::vector<Exemplar>> kept_;
};

}  // namespace weir::observe
