// Typed reading of a YAML map: what is there and wrong is complained of, what is absent keeps its
// default, and keys nobody asked for are named with the nearest one that exists.
#pragma once

#include "cli/yaml_tree.h"

#include <weir/time.h>

#include <concepts>
#include <initializer_list>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::cli {

/// What all readers of one file share.
struct Reading {
    Complaints complaints;
    std::map<std::string, Place> places;  // YAML path -> where it stands
    std::set<std::string> spoilt;         // paths complained of already: say no more about them
    std::vector<std::pair<Place, std::string>> doubts;  // warnings, if nothing is wrong

    explicit Reading(std::string file) : complaints(std::move(file)) {}

    /// Records the place of each node under `node`.
    void index(const YamlNode& node, const std::string& path);
    /// Of `path`, else of the nearest parent that stands in the file.
    Place place(std::string path) const;
    /// `path` itself, something it is part of, or a part of it.
    bool is_spoilt(const std::string& path) const;
    void spoil(const std::string& path, const Place& place, std::string message);
};

std::string join(const std::string& path, std::string_view key);
std::string at(const std::string& path, std::size_t index);

/// The nearest of `allowed`, if any is near enough to be what was meant.
std::optional<std::string> nearest(std::string_view word, const std::set<std::string>& allowed);

template <class T>
using Choices = std::initializer_list<std::pair<std::string_view, T>>;

class MapReader {
public:
    /// `node` may be null or absent (nullptr): then everything keeps its default.
    MapReader(Reading& reading, const YamlNode* node, std::string path);
    /// Complains of the keys that were never asked for.
    ~MapReader();
    MapReader(const MapReader&) = delete;
    MapReader& operator=(const MapReader&) = delete;

    Reading& reading() { return reading_; }
    const std::string& path() const { return path_; }
    std::string path(std::string_view key) const { return join(path_, key); }
    /// The value of `key`; nullptr: absent or null.
    const YamlNode* find(std::string_view key);
    bool has(std::string_view key) { return find(key) != nullptr; }

    void text(std::string_view key, std::string& out);
    void texts(std::string_view key, std::vector<std::string>& out, bool one_will_do = false);
    void flag(std::string_view key, bool& out);
    void number(std::string_view key, double& out);
    void duration(std::string_view key, Duration& out);
    void size(std::string_view key, std::uint64_t& out);

    template <std::unsigned_integral T>
    void count(std::string_view key, T& out) {
        if (const auto value = whole(key, std::numeric_limits<T>::max()))
            out = static_cast<T>(*value);
    }
    template <std::unsigned_integral T>
    void count(std::string_view key, std::optional<T>& out) {
        if (const auto value = whole(key, std::numeric_limits<T>::max()))
            out = static_cast<T>(*value);
    }
    template <class T, class List = Choices<T>>
    void choice(std::string_view key, T& out, const List& choices) {
        const YamlNode* node = scalar(key, "a word");
        if (node == nullptr)
            return;
        std::string allowed;
        for (const auto& [name, value] : choices) {
            if (node->text == name) {
                out = value;
                return;
            }
            allowed += (allowed.empty() ? "" : ", ") + std::string(name);
        }
        wrong(key, *node, "allowed are " + allowed);
    }

    /// The elements of a list; complains of anything else.
    const std::vector<YamlNode>& list(std::string_view key, std::string_view of_what);
    /// The entries of a map in the file's order.
    std::vector<std::pair<std::string, const YamlNode*>> entries(std::string_view key,
                                                                 std::string_view of_what);

    /// "`key` is WHAT IT IS; ALLOWED".
    void wrong(std::string_view key, const YamlNode& node, const std::string& allowed);

private:
    const YamlNode* scalar(std::string_view key, std::string_view wanted);
    std::optional<std::uint64_t> whole(std::string_view key, std::uint64_t most);

    Reading& reading_;
    const YamlNode* node_ = nullptr;
    std::string path_;
    std::set<std::string> asked_;
};

/// How a value is shown in a complaint: quoted and cut, or named as a substitution.
std::string shown(const YamlNode& node);

/// true, yes, on and their opposites, in any case.
std::optional<bool> parse_flag(std::string_view text);

}  // namespace weir::cli
