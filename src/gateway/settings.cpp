#include "gateway/settings.h"

#include "codec/sigv4.h"

#include <concepts>
#include <map>
#include <optional>
#include <type_traits>

namespace weir::gateway {
namespace {

using enum Effect;

/// A value as text that two different values never share: each part with its length before it.
class Text {
public:
    void add(std::string_view text) {
        out_ += std::to_string(text.size());
        out_ += ':';
        out_ += text;
    }
    template <class T>
        requires std::integral<T> || std::floating_point<T>
    void add(T value) {
        add(std::string_view(std::to_string(value)));
    }
    template <class T>
        requires std::is_enum_v<T>
    void add(T value) {
        add(static_cast<int>(value));
    }
    void add(const std::string& text) { add(std::string_view(text)); }
    void add(Duration value) { add(value.count()); }
    template <class T>
    void add(const std::optional<T>& value) {
        add(value.has_value());
        if (value) {
            add(*value);
        }
    }
    template <class T>
    void add(const std::vector<T>& values) {
        add(values.size());
        for (const T& value : values) {
            add(value);
        }
    }
    template <class K, class V>
    void add(const std::map<K, V>& values) {
        add(values.size());
        for (const auto& [key, value] : values) {
            add(key);
            add(value);
        }
    }
    template <policy::Section T>
    void add(const T& section) {
        policy::visit(*this, section);
    }
    void heading(std::string_view) {}
    template <class T>
    void operator()(const T& value, const policy::Row&) {
        add(value);
    }

    std::string take() { return std::move(out_); }

private:
    std::string out_;
};

/// Lists each setting with its value; what a reload names as one is one.
class Lister {
public:
    struct Entry {
        Setting setting;
        std::string value;
    };

    void heading(std::string_view) {}
    template <class T>
    void operator()(const T& value, const policy::Row& row) {
        if constexpr (policy::Section<T>) {
            if (!row.has(policy::kWhole)) {
                go_into(value, row);
                return;
            }
        }
        add(value, row);
    }
    /// Whether there is one is a setting of its own.
    template <policy::Section T>
    void operator()(const std::optional<T>& value, const policy::Row& row) {
        if (row.has(policy::kWhole)) {
            add(value, row);
            return;
        }
        add(value.has_value(), row);
        go_into(value.value_or(T{}), row);
    }
    std::vector<Entry> take() { return std::move(list_); }

private:
    template <class T>
    void add(const T& value, const policy::Row& row) {
        Text text;
        text.add(value);
        list_.push_back({{prefix_ + std::string(row.key), row.effect}, text.take()});
    }
    template <class T>
    void go_into(const T& section, const policy::Row& row) {
        prefix_ = std::string(row.key) + ".";
        policy::visit(*this, section);
        prefix_.clear();
    }

    std::string prefix_;
    std::vector<Entry> list_;
};

std::vector<Lister::Entry> entries_of(const Config& config) {
    Lister lister;
    policy::visit(lister, config);
    return lister.take();
}

}  // namespace

std::span<const Setting> settings() {
    static const std::vector<Setting> kAll = [] {
        std::vector<Setting> all;
        for (Lister::Entry& entry : entries_of(Config{})) {
            all.push_back(std::move(entry.setting));
        }
        return all;
    }();
    return kAll;
}

std::vector<std::pair<std::string, std::string>> values_of(const Config& config) {
    std::vector<std::pair<std::string, std::string>> values;
    for (Lister::Entry& entry : entries_of(config)) {
        values.emplace_back(std::move(entry.setting.path), std::move(entry.value));
    }
    return values;
}

std::string hash_of(const Config& config) {
    constexpr std::size_t kDigits = 12;
    Text all;
    for (const auto& [path, value] : values_of(config)) {
        all.add(path);
        all.add(value);
    }
    return codec::to_hex(codec::sha256(all.take())).substr(0, kDigits);
}

Changes take_over(const Config& old, Config& next) {
    const auto before = values_of(old);
    const auto after = values_of(next);
    const bool tls_stays = old.tls.has_value() == next.tls.has_value();
    Changes changes;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const auto& path = before[i].first;
        if (before[i].second == after[i].second || (path.starts_with("tls.") && !tls_stays)) {
            continue;
        }
        switch (settings()[i].effect) {
            case at_once:
                changes.applied.push_back(path);
                break;
            case new_connections:
                changes.applied.push_back(path + " (new connections)");
                break;
            case restart:
                changes.restart.push_back(path);
                break;
        }
    }
    next.listen = old.listen;
    next.admin = old.admin;
    next.workers = old.workers;
    next.state_file = old.state_file;
    next.watch = old.watch;
    next.log.format = old.log.format;
    next.explain = old.explain;
    next.costs.file = old.costs.file;
    next.shared = old.shared;
    if (!tls_stays) {
        next.tls = old.tls;
    }
    return changes;
}

}  // namespace weir::gateway
