#include "cli/map_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace weir::cli {

namespace {

std::string describe(const YamlNode& node) {
    switch (node.kind) {
        case YamlNode::Kind::null:
            return "empty";
        case YamlNode::Kind::list:
            return "a list";
        case YamlNode::Kind::map:
            return "a map";
        case YamlNode::Kind::scalar:
            break;
    }
    return shown(node);
}

std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
            diagonal = above;
        }
    }
    return row.back();
}

// The path one step up; empty: it was the root.
std::string parent(const std::string& path) {
    const std::size_t cut = path.find_last_of(".[");
    return cut == std::string::npos ? std::string() : path.substr(0, cut);
}

}  // namespace

std::string join(const std::string& path, std::string_view key) {
    return path.empty() ? std::string(key) : path + "." + std::string(key);
}

std::string at(const std::string& path, std::size_t index) {
    return path + "[" + std::to_string(index) + "]";
}

std::string shown(const YamlNode& node) {
    if (node.substituted)
        return "not what it should be (its value comes from a substitution and is not shown)";
    std::string text = node.text.substr(0, 80);
    std::ranges::replace_if(text, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
    return "`" + text + (node.text.size() > 80 ? "...`" : "`");
}

std::optional<bool> parse_flag(std::string_view text) {
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (lower == "true" || lower == "yes" || lower == "on")
        return true;
    if (lower == "false" || lower == "no" || lower == "off")
        return false;
    return std::nullopt;
}

std::optional<std::string> nearest(std::string_view word, const std::set<std::string>& allowed) {
    if (word.size() > 60)
        return std::nullopt;
    std::optional<std::string> best;
    std::size_t least = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const std::string& candidate : allowed) {
        const std::size_t d = distance(word, candidate);
        if (d < least && d < candidate.size()) {
            least = d;
            best = candidate;
        }
    }
    return best;
}

void Reading::index(const YamlNode& node, const std::string& path) {
    places[path] = node.place;
    if (node.unresolved)
        spoilt.insert(path);
    for (std::size_t i = 0; i < node.items.size(); ++i)
        index(node.items[i],
              node.kind == YamlNode::Kind::map ? join(path, node.keys[i].text) : at(path, i));
}

Place Reading::place(std::string path) const {
    for (;;) {
        const auto found = places.find(path);
        if (found != places.end())
            return found->second;
        if (path.empty())
            return {};
        path = parent(path);
    }
}

bool Reading::is_spoilt(const std::string& path) const {
    for (std::string up = path; !up.empty(); up = parent(up)) {
        if (spoilt.contains(up))
            return true;
    }
    const auto part_of = [&](const std::string& start) {
        const auto found = spoilt.lower_bound(start);
        return found != spoilt.end() && found->starts_with(start);
    };
    return spoilt.contains("") || (!path.empty() && (part_of(path + ".") || part_of(path + "[")));
}

void Reading::spoil(const std::string& path, const Place& place, std::string message) {
    if (spoilt.insert(path).second)
        complaints.add(place, std::move(message));
}

MapReader::MapReader(Reading& reading, const YamlNode* node, std::string path)
    : reading_(reading), path_(std::move(path)) {
    if (node == nullptr || node->kind == YamlNode::Kind::null || node->unresolved)
        return;
    if (node->kind != YamlNode::Kind::map) {
        const std::string name = path_.empty() ? "the file" : "`" + path_ + "`";
        reading_.spoil(path_, node->place,
                       name + " is " + describe(*node) + "; allowed is a map, `name: value`");
        return;
    }
    node_ = node;
}

MapReader::~MapReader() {
    if (node_ == nullptr)
        return;
    for (const YamlNode::Key& key : node_->keys) {
        if (asked_.contains(key.text))
            continue;
        std::string message = "unknown key `" + key.text.substr(0, 80) + "`";
        if (!path_.empty())
            message += " in `" + path_ + "`";
        if (const auto near = nearest(key.text, asked_)) {
            message += "; did you mean `" + *near + "`?";
        } else {
            message += "; allowed are ";
            std::string names;
            for (const std::string& name : asked_)
                names += (names.empty() ? "" : ", ") + name;
            message += names;
        }
        reading_.complaints.add(key.place, std::move(message));
    }
}

const YamlNode* MapReader::find(std::string_view key) {
    asked_.emplace(key);
    if (node_ == nullptr)
        return nullptr;
    for (std::size_t i = 0; i < node_->keys.size(); ++i) {
        if (node_->keys[i].text == key) {
            const YamlNode& item = node_->items[i];
            return item.kind == YamlNode::Kind::null ? nullptr : &item;
        }
    }
    return nullptr;
}

void MapReader::wrong(std::string_view key, const YamlNode& node, const std::string& allowed) {
    reading_.spoil(path(key), node.place,
                   "`" + path(key) + "` is " + describe(node) + "; " + allowed);
}

const YamlNode* MapReader::scalar(std::string_view key, std::string_view wanted) {
    const YamlNode* node = find(key);
    if (node == nullptr || node->unresolved)
        return nullptr;
    if (node->kind != YamlNode::Kind::scalar) {
        wrong(key, *node, "allowed is " + std::string(wanted));
        return nullptr;
    }
    return node;
}

void MapReader::text(std::string_view key, std::string& out) {
    if (const YamlNode* node = scalar(key, "a text"))
        out = node->text;
}

void MapReader::texts(std::string_view key, std::vector<std::string>& out, bool one_will_do) {
    const YamlNode* node = find(key);
    if (node == nullptr || node->unresolved)
        return;
    if (one_will_do && node->kind == YamlNode::Kind::scalar) {
        out = {node->text};
        return;
    }
    if (node->kind != YamlNode::Kind::list) {
        wrong(key, *node,
              one_will_do ? "allowed is a text or a list of texts" : "allowed is a list of texts");
        return;
    }
    out.clear();
    for (std::size_t i = 0; i < node->items.size(); ++i) {
        const YamlNode& item = node->items[i];
        out.push_back(item.text);
        if (item.kind != YamlNode::Kind::scalar) {
            const std::string where = at(path(key), i);
            reading_.spoil(where, item.place,
                           "`" + where + "` is " + describe(item) + "; allowed is a text");
        }
    }
}

void MapReader::flag(std::string_view key, bool& out) {
    const YamlNode* node = scalar(key, "true or false");
    if (node == nullptr)
        return;
    if (const auto value = parse_flag(node->text))
        out = *value;
    else
        wrong(key, *node, "allowed are true and false");
}

void MapReader::number(std::string_view key, double& out) {
    const YamlNode* node = scalar(key, "a number");
    if (node == nullptr)
        return;
    double value = 0;
    const char* end = node->text.data() + node->text.size();
    const auto [stop, error] = std::from_chars(node->text.data(), end, value);
    if (error != std::errc() || stop != end || !std::isfinite(value))
        wrong(key, *node, "allowed is a number, such as 0.5");
    else
        out = value;
}

void MapReader::duration(std::string_view key, Duration& out) {
    const YamlNode* node = scalar(key, "a duration, such as 250ms or 2s");
    if (node == nullptr)
        return;
    if (const auto value = parse_duration(node->text))
        out = *value;
    else
        wrong(key, *node, value.error().message);
}

void MapReader::size(std::string_view key, std::uint64_t& out) {
    const YamlNode* node = scalar(key, "a size, such as 32MiB");
    if (node == nullptr)
        return;
    if (const auto value = parse_size(node->text))
        out = *value;
    else
        wrong(key, *node, value.error().message);
}

std::optional<std::uint64_t> MapReader::whole(std::string_view key, std::uint64_t most) {
    const YamlNode* node = scalar(key, "a whole number");
    if (node == nullptr)
        return std::nullopt;
    std::uint64_t value = 0;
    const char* end = node->text.data() + node->text.size();
    const auto [stop, error] = std::from_chars(node->text.data(), end, value);
    if (error != std::errc() || stop != end || node->text.empty()) {
        wrong(key, *node, "allowed is a whole number without a unit, such as 200000");
        return std::nullopt;
    }
    if (value > most) {
        wrong(key, *node, "the largest allowed is " + std::to_string(most));
        return std::nullopt;
    }
    return value;
}

const std::vector<YamlNode>& MapReader::list(std::string_view key, std::string_view of_what) {
    static const std::vector<YamlNode> kNone;
    const YamlNode* node = find(key);
    if (node == nullptr || node->unresolved)
        return kNone;
    if (node->kind != YamlNode::Kind::list) {
        wrong(key, *node, "allowed is a list of " + std::string(of_what));
        return kNone;
    }
    return node->items;
}

std::vector<std::pair<std::string, const YamlNode*>> MapReader::entries(std::string_view key,
                                                                        std::string_view of_what) {
    std::vector<std::pair<std::string, const YamlNode*>> result;
    const YamlNode* node = find(key);
    if (node == nullptr || node->unresolved)
        return result;
    if (node->kind != YamlNode::Kind::map) {
        wrong(key, *node, "allowed is a map of " + std::string(of_what));
        return result;
    }
    for (std::size_t i = 0; i < node->keys.size(); ++i)
        result.emplace_back(node->keys[i].text, &node->items[i]);
    return result;
}

}  // namespace weir::cli
