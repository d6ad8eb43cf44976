#include "cli/config_sections.h"

#include "policy/setting_rows.h"

#include <algorithm>

namespace weir::cli {

namespace {

using policy::Row;

void to_lower(std::string& text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
}

// `localhost` is a name, and what it stands for is no secret.
void localhost_to_address(std::string& address) {
    if (address.starts_with("localhost:"))
        address.replace(0, 9, "127.0.0.1");
}

/// `model` is short for `models` with one entry.
void read_more(MapReader& map, QuotaConfig& quota) {
    Reading& reading = map.reading();
    const YamlNode* model = map.find("model");
    if (model == nullptr)
        return;
    if (map.has("models")) {
        reading.spoil(map.path("model"), model->place,
                      "`model` and `models` both; allowed is one of them");
        return;
    }
    map.text("model", quota.models.emplace_back());
    reading.places[at(map.path("models"), 0)] = model->place;
    if (reading.is_spoilt(map.path("model")))
        reading.spoilt.insert(map.path("models"));
}

template <class T>
void read_more(MapReader&, T&) {}

template <class T>
void read_section(MapReader& map, T& section);

/// Reads each row's value from a map.
class RowReader {
public:
    explicit RowReader(MapReader& map) : map_(map) {}

    void heading(std::string_view) {}
    void operator()(bool& value, const Row& row) { map_.flag(row.key, value); }
    void operator()(double& value, const Row& row) { map_.number(row.key, value); }
    void operator()(Duration& value, const Row& row) { map_.duration(row.key, value); }
    void operator()(std::string& value, const Row& row) {
        map_.text(row.key, value);
        if (row.has(policy::kLowerCase))
            to_lower(value);
        if (row.has(policy::kSecret))
            map_.reading().complaints.hide(value, "(a secret)");
    }
    void operator()(std::vector<std::string>& values, const Row& row) {
        map_.texts(row.key, values, row.has(policy::kOneWillDo));
        if (row.has(policy::kLowerCase))
            std::ranges::for_each(values, to_lower);
    }
    void operator()(std::map<std::string, std::string>& values, const Row& row) {
        for (const auto& [name, node] : map_.entries(row.key, row.entries)) {
            const std::string path = join(map_.path(row.key), name);
            if (node->unresolved)
                continue;
            if (node->kind != YamlNode::Kind::scalar)
                map_.reading().spoil(path, node->place,
                                     "`" + path + "` must be " + std::string(row.each));
            else
                values[name] = node->text;
        }
    }
    template <std::unsigned_integral T>
    void operator()(T& value, const Row& row) {
        if constexpr (std::same_as<T, std::uint64_t>) {
            if (row.has(policy::kSize)) {
                map_.size(row.key, value);
                return;
            }
        }
        map_.count(row.key, value);
    }
    template <class T>
        requires std::is_enum_v<T>
    void operator()(T& value, const Row& row) {
        map_.choice(row.key, value, policy::kNames<T>);
    }
    template <class T>
    void operator()(std::optional<T>& value, const Row& row) {
        if (map_.has(row.key))
            (*this)(value.emplace(), row);
    }
    template <policy::Section T>
    void operator()(T& value, const Row& row) {
        read(map_.find(row.key), map_.path(row.key), value);
    }
    template <policy::Section T>
    void operator()(std::vector<T>& values, const Row& row) {
        const auto& items = map_.list(row.key, row.entries);
        for (std::size_t i = 0; i < items.size(); ++i)
            read(&items[i], at(map_.path(row.key), i), values.emplace_back());
    }
    template <policy::Section T>
    void operator()(std::map<std::string, T>& values, const Row& row) {
        for (const auto& [name, node] : map_.entries(row.key, row.entries))
            read(node, join(map_.path(row.key), name), values[name]);
    }

private:
    template <class T>
    void read(const YamlNode* node, const std::string& path, T& value) {
        MapReader map(map_.reading(), node, path);
        read_section(map, value);
    }

    MapReader& map_;
};

template <class T>
void read_section(MapReader& map, T& section) {
    RowReader rows(map);
    policy::visit(rows, section);
    read_more(map, section);
}

}  // namespace

void read_config(Reading& reading, const YamlNode& node, Config& config) {
    reading.index(node, "");
    MapReader root(reading, &node, "");
    read_section(root, config);
    std::ranges::for_each(config.listen, localhost_to_address);
    localhost_to_address(config.admin);
    for (std::string& path : config.admin_open) {
        if (path.starts_with('/'))
            path.erase(0, 1);
    }
    const auto resolve = [&](std::string& model) {
        if (const auto found = config.aliases.find(model); found != config.aliases.end())
            model = found->second;
    };
    for (QuotaConfig& quota : config.quotas)
        std::ranges::for_each(quota.models, resolve);
    for (RouteConfig& route : config.routes)
        resolve(route.model);
}

}  // namespace weir::cli
