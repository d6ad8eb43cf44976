// Which names become label values, and handles kept by them.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace weir::observe {

constexpr std::size_t kMaxLabelValues = 200;
constexpr std::string_view kOther = "other";
constexpr std::string_view kNobody = "none";  // the client of a call that named none

constexpr std::string_view or_nobody(std::string_view client) {
    return client.empty() ? kNobody : client;
}

/// An ARN's last segment; anything else as it is.
std::string_view without_arn(std::string_view model);

/// The values that one label may take: those configured and those learned, kMaxLabelValues at most;
/// every other name is `other`. Not thread-safe.
class LabelValues {
public:
    /// Takes the configured names; where that leaves no room, learned ones are given up and
    /// returned.
    std::vector<std::string> configure(std::vector<std::string> names);

    /// The label of `name`. `learn`: it has earned one of its own, if there is room and it is short
    /// and printable. The view lives until the next configure().
    std::string_view label(std::string_view name, bool learn);

private:
    std::set<std::string, std::less<>> configured_;
    std::set<std::string, std::less<>> learned_;
};

/// Handles by N names, found without allocating. Not thread-safe.
template <std::size_t N, class Handle>
class HandleMap {
public:
    using Names = std::array<std::string_view, N>;

    Handle* find(const Names& names) {
        if (last_ == nullptr || !Equal()(last_->first, names)) {
            const auto at = map_.find(names);
            last_ = at == map_.end() ? nullptr : &*at;
        }
        return last_ == nullptr ? nullptr : &last_->second;
    }

    Handle* insert(const Names& names, Handle handle) {
        Owned owned;
        for (std::size_t i = 0; i < N; ++i) {
            owned[i] = std::string(names[i]);
        }
        return &map_.insert_or_assign(std::move(owned), std::move(handle)).first->second;
    }

    template <class Use>
    void each(Use use) {
        for (auto& [names, handle] : map_) {
            use(handle);
        }
    }

    /// `use` is called with the names and the handle.
    template <class Use>
    void each_named(Use use) {
        for (auto& [names, handle] : map_) {
            use(names, handle);
        }
    }

    std::size_t size() const { return map_.size(); }

    void clear() {
        last_ = nullptr;
        map_.clear();
    }

private:
    using Owned = std::array<std::string, N>;

    struct Hash {
        using is_transparent = void;
        template <class Array>
        std::size_t operator()(const Array& names) const {
            std::size_t seed = N;
            for (const auto& name : names) {
                seed = seed * 0x9E3779B97F4A7C15ULL + std::hash<std::string_view>{}(name);
            }
            return seed ^ (seed >> 32U);
        }
    };
    struct Equal {
        using is_transparent = void;
        template <class A, class B>
        bool operator()(const A& a, const B& b) const {
            for (std::size_t i = 0; i < N; ++i) {
                if (a[i] != b[i]) {
                    return false;
                }
            }
            return true;
        }
    };

    std::unordered_map<Owned, Handle, Hash, Equal> map_;
    std::pair<const Owned, Handle>* last_ = nullptr;  // traffic repeats itself
};

}  // namespace weir::observe
