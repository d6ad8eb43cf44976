#include "observe/labels.h"

#include "observe/utf8.h"

namespace weir::observe {
namespace {

constexpr std::size_t kMaxLabelSize = 256;

// Prometheus wants UTF-8, and people want to read it.
bool presentable(std::string_view name) {
    if (name.empty() || name.size() > kMaxLabelSize) {
        return false;
    }
    while (!name.empty()) {
        const Character character = character_at(name);
        if (character.size == 0 || character.control) {
            return false;
        }
        name.remove_prefix(character.size);
    }
    return true;
}

}  // namespace

std::string_view without_arn(std::string_view model) {
    if (!model.starts_with("arn:")) {
        return model;
    }
    const std::size_t slash = model.rfind('/');
    return slash == std::string_view::npos ? model : model.substr(slash + 1);
}

std::vector<std::string> LabelValues::configure(std::vector<std::string> names) {
    std::set<std::string, std::less<>> before;
    before.swap(configured_);
    for (std::string& name : names) {
        if (configured_.size() < kMaxLabelValues && presentable(name)) {
            configured_.insert(std::move(name));
        }
    }
    // What was configured until now has series already: it stays as if it had been learned.
    learned_.merge(before);
    std::vector<std::string> given_up;
    for (const std::string& name : configured_) {
        learned_.erase(name);
    }
    while (configured_.size() + learned_.size() > kMaxLabelValues) {
        given_up.push_back(std::move(learned_.extract(learned_.begin()).value()));
    }
    return given_up;
}

std::string_view LabelValues::label(std::string_view name, bool learn) {
    if (const auto at = configured_.find(name); at != configured_.end()) {
        return *at;
    }
    if (const auto at = learned_.find(name); at != learned_.end()) {
        return *at;
    }
    if (learn && configured_.size() + learned_.size() < kMaxLabelValues && presentable(name)) {
        return *learned_.emplace(name).first;
    }
    return kOther;
}

}  // namespace weir::observe
