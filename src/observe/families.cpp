#include "observe/families.h"

#include <algorithm>
#include <cstdlib>
#include <type_traits>

namespace weir::observe {

Family::Family(Rows& rows, const char* name, Type type, std::string_view labels)
    : name_(name), type_(type) {
    for (std::size_t at = 0; at < labels.size();) {
        const std::size_t end = std::min(labels.find(' ', at), labels.size());
        labels_.emplace_back(labels.substr(at, end - at));
        at = end + 1;
    }
    rows.all.push_back(this);
}

template <class T>
Metric<T>::Metric(Rows& rows, const char* name, std::string_view labels, const char* help,
                  std::vector<double> buckets)
    : Family(rows, name, T::metric_type, labels),
      family_(name, help, {}),
      buckets_(std::move(buckets)) {}

template <class T>
T& Metric<T>::series(LabelValuesView values) {
    if (values.size() != labels().size()) {
        std::abort();  // a row has got a label that the place where it is counted does not know
    }
    prometheus::Labels map;
    Made made{nullptr, {}};
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::string_view label = labels()[i];
        map.emplace(label, values[i]);
        if (label.ends_with("model") || label == "client") {
            made.values.emplace_back(values[i]);
        }
    }
    const bool known = family_.Has(map);
    T* handle = nullptr;
    if constexpr (std::is_same_v<T, prometheus::Histogram>) {
        handle = &family_.Add(map, buckets_);
    } else {
        handle = &family_.Add(map);
    }
    if (!known) {
        made.handle = handle;
        made_.push_back(std::move(made));
    }
    return *handle;
}

template <class T>
void Metric<T>::forget(const std::vector<std::string>& values) {
    std::erase_if(made_, [&](const Made& made) {
        const bool named = std::ranges::any_of(made.values, [&](const std::string& value) {
            return std::ranges::find(values, value) != values.end();
        });
        if (named) {
            family_.Remove(made.handle);
        }
        return named;
    });
}

template <class T>
void Metric<T>::collect(std::vector<prometheus::MetricFamily>& out) {
    for (prometheus::MetricFamily& family : family_.Collect()) {
        out.push_back(std::move(family));
    }
}

template <class T>
RequestMetric<T>::RequestMetric(Rows& rows, const char* name, std::string_view labels,
                                const char* help, std::vector<double> buckets)
    : Metric<T>(rows, name, labels, help, std::move(buckets)) {
    auto& list = [&]() -> auto& {
        if constexpr (std::is_same_v<T, prometheus::Histogram>) {
            return rows.request_histograms;
        } else {
            return rows.request_counters;
        }
    }();
    slot_ = list.size();
    list.push_back(this);
}

template class Metric<prometheus::Counter>;
template class Metric<prometheus::Histogram>;
template class RequestMetric<prometheus::Counter>;
template class RequestMetric<prometheus::Histogram>;

ReadMetric::ReadMetric(Rows& rows, Type type, const char* name, std::string_view labels,
                       const char* help, Merge merge)
    : Family(rows, name, type, labels), help_(help), merge_(merge) {}

void ReadMetric::set(std::vector<std::string> values, double value) {
    if (values.size() != labels().size()) {
        std::abort();
    }
    const auto [at, added] = values_.try_emplace(std::move(values), value);
    if (!added) {
        at->second = merge_ == Merge::sum ? at->second + value : std::max(at->second, value);
    }
}

void ReadMetric::collect(std::vector<prometheus::MetricFamily>& out) {
    if (values_.empty()) {
        return;
    }
    prometheus::MetricFamily family{name(), help_, type(), {}};
    for (const auto& [values, value] : values_) {
        prometheus::ClientMetric metric;
        for (std::size_t i = 0; i < values.size(); ++i) {
            std::string_view label = labels()[i];
            const bool optional = label.ends_with('?');
            label.remove_suffix(optional ? 1 : 0);
            if (!optional || !values[i].empty()) {
                metric.label.push_back({std::string(label), values[i]});
            }
        }
        (type() == Type::Counter ? metric.counter.value : metric.gauge.value) = value;
        family.metric.push_back(std::move(metric));
    }
    out.push_back(std::move(family));
    values_.clear();
}

void Families::forget(const std::vector<std::string>& values) {
    for (Family* family : rows.all) {
        family->forget(values);
    }
}

std::vector<prometheus::MetricFamily> Families::collect() {
    std::vector<prometheus::MetricFamily> out;
    for (Family* family : rows.all) {
        family->collect(out);
    }
    return out;
}

}  // namespace weir::observe
