// The rows of the settings: every member of Config has one, and docs/configuration.md lists each
// with its default.
#include "policy/setting_rows.h"

#include "cli/config_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

namespace weir {
namespace {

using policy::Row;

/// Converts to whatever a member is, but not to the struct itself.
template <class Struct>
struct Anything {
    template <class Member>
        requires(!std::same_as<Member, Struct>)
    operator Member() const {
        return {};
    }
};

/// With how many values the struct can be initialised: the number of its members.
template <class Struct, class... Values>
constexpr std::size_t members() {
    if constexpr (requires { Struct{Values{}..., Anything<Struct>{}}; })
        return members<Struct, Values..., Anything<Struct>>();
    else
        return sizeof...(Values);
}

struct Counter {
    std::size_t rows = 0;

    void heading(std::string_view) {}
    template <class T>
    void operator()(const T&, const Row&) {
        ++rows;
    }
};

template <class Struct>
std::size_t rows() {
    Counter counter;
    static const Struct all;  // on the stack g++ 12 takes an optional for one read unset
    policy::visit(counter, all);
    return counter.rows;
}

TEST(SettingRows, EveryMemberHasOne) {
    EXPECT_EQ(rows<Config>(), members<Config>() - 1) << "all but the table of models";
    EXPECT_EQ(rows<CredentialsConfig>(), members<CredentialsConfig>());
    EXPECT_EQ(rows<TlsConfig>(), members<TlsConfig>());
    EXPECT_EQ(rows<SharedConfig>(), members<SharedConfig>());
    EXPECT_EQ(rows<AwsConfig>(), members<AwsConfig>());
    EXPECT_EQ(rows<AccountConfig>(), members<AccountConfig>());
    EXPECT_EQ(rows<RegionConfig>(), members<RegionConfig>());
    EXPECT_EQ(rows<QuotaConfig>(), members<QuotaConfig>());
    EXPECT_EQ(rows<RouteTarget>(), members<RouteTarget>());
    EXPECT_EQ(rows<RouteConfig>(), members<RouteConfig>());
    EXPECT_EQ(rows<ClientConfig>(), members<ClientConfig>());
    EXPECT_EQ(rows<QueueConfig>(), members<QueueConfig>());
    EXPECT_EQ(rows<RetryConfig>(), members<RetryConfig>());
    EXPECT_EQ(rows<BreakerConfig>(), members<BreakerConfig>());
    EXPECT_EQ(rows<TimeoutsConfig>(), members<TimeoutsConfig>());
    EXPECT_EQ(rows<PoolConfig>(), members<PoolConfig>());
    EXPECT_EQ(rows<LimitsConfig>(), members<LimitsConfig>());
    EXPECT_EQ(rows<LogConfig>(), members<LogConfig>());
    EXPECT_EQ(rows<PriceConfig>(), members<PriceConfig>());
    EXPECT_EQ(rows<BudgetConfig>(), members<BudgetConfig>());
    EXPECT_EQ(rows<CostsConfig>(), members<CostsConfig>());
    EXPECT_EQ(rows<OtlpConfig>(), members<OtlpConfig>());
}

/// Every key as the page writes it, with its default; empty: not set, or a list.
class Defaults {
public:
    void heading(std::string_view) {}
    template <class T>
    void operator()(const T& value, const Row& row) {
        const std::string key = prefix_ + std::string(row.key);
        if constexpr (policy::Section<T>) {
            go_into(value, key + ".");
        } else {
            all_[key];
            write(value, row, key);
        }
    }
    std::map<std::string, std::string> all_;

private:
    void write(bool value, const Row&, const std::string& key) {
        all_[key] = value ? "true" : "false";
    }
    void write(Duration value, const Row&, const std::string& key) {
        all_[key] = cli::format_duration(value);
    }
    void write(const std::string& value, const Row&, const std::string& key) { all_[key] = value; }
    template <class T>
        requires std::integral<T> || std::floating_point<T>
    void write(T value, const Row& row, const std::string& key) {
        std::ostringstream text;
        if (row.has(policy::kSize))
            text << cli::format_size(static_cast<std::uint64_t>(value));
        else if (value != 0 || !row.has(policy::kZeroUnset))
            text << value;
        all_[key] = text.str();
    }
    template <class T>
        requires std::is_enum_v<T>
    void write(T value, const Row&, const std::string& key) {
        for (const auto& [name, one] : policy::kNames<T>) {
            if (one == value)
                all_[key] = name;
        }
    }
    template <class T>
    void write(const std::optional<T>& value, const Row& row, const std::string& key) {
        EXPECT_FALSE(value) << key;
        if constexpr (policy::Section<T>) {
            if (row.has(policy::kWhole))
                go_into(T{}, key + ".");
        }
    }
    template <class T>
    void write(const std::vector<T>&, const Row&, const std::string& key) {
        if constexpr (policy::Section<T>)
            go_into(T{}, key + "[].");
    }
    template <class T>
    void write(const std::map<std::string, T>&, const Row&, const std::string& key) {
        if constexpr (policy::Section<T>)
            go_into(T{}, key + (key == "accounts" ? ".A." : ".R."));
    }
    template <class T>
    void go_into(const T& section, const std::string& prefix) {
        const std::string before = std::exchange(prefix_, prefix);
        policy::visit(*this, section);
        prefix_ = before;
    }

    std::string prefix_;
};

std::vector<std::string> in_backquotes(const std::string& cell) {
    std::vector<std::string> all;
    std::istringstream text(cell);
    std::string between;
    for (std::string one; std::getline(text, between, '`') && std::getline(text, one, '`');)
        all.push_back(one);
    return all;
}

/// The keys of the page's tables and what stands in the default column. Of several keys in one
/// line, later ones share the first one's beginning: `retry.base_delay`, `max_delay`.
std::map<std::string, std::string> documented() {
    std::map<std::string, std::string> all;
    std::ifstream page(WEIR_SOURCE_DIR "/docs/configuration.md");
    for (std::string line; std::getline(page, line);) {
        if (!line.starts_with("| `"))
            continue;
        const std::size_t first = line.find(" |", 2);
        const std::size_t second = line.find(" |", first + 2);
        const auto keys = in_backquotes(line.substr(0, first));
        const auto values = in_backquotes(line.substr(first, second - first));
        const std::size_t dot = keys.front().rfind('.');
        const std::string prefix = keys.front().substr(0, dot == std::string::npos ? 0 : dot + 1);
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const std::string key = i == 0 ? keys[i] : prefix + keys[i];
            const std::string value = values.empty()                 ? ""
                                      : values.size() == keys.size() ? values[i]
                                                                     : values.front();
            EXPECT_TRUE(all.emplace(key, value).second) << key << " is documented twice";
        }
    }
    return all;
}

TEST(SettingRows, TheDocumentationListsEachWithItsDefault) {
    Defaults rows;
    const Config config;
    policy::visit(rows, config);
    auto page = documented();
    EXPECT_EQ(page.erase("quotas[].model"), 1U) << "short for `models` with one entry";
    for (const auto& [key, value] : rows.all_) {
        const auto entry = page.lower_bound(key + "[].");  // a list of maps has the keys of these
        if (entry != page.end() && entry->first.starts_with(key + "[]."))
            continue;
        ASSERT_TRUE(page.contains(key)) << key << " is not in docs/configuration.md";
        EXPECT_TRUE(value.empty() || page[key] == value)
            << key << " is " << value << ", and the page says " << page[key];
    }
    for (const auto& [key, value] : page)
        EXPECT_TRUE(rows.all_.contains(key)) << key << " is documented and no setting";
}

}  // namespace
}  // namespace weir
