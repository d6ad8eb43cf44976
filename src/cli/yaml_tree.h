// A YAML document as a plain tree with places, bounded in every direction.
#pragma once

#include "cli/config_file.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

struct Place {
    int line = 0;  // from 1; 0: none
    int column = 0;
    std::string source;  // instead of the file, e.g. the environment variable a value came from
};

/// Gathers what is wrong with one file. Bounded: a file that is nothing but mistakes costs no more
/// than kMost lines of complaint.
class Complaints {
public:
    static constexpr std::size_t kMost = 200;

    explicit Complaints(std::string file) : file_(std::move(file)) {}

    void add(const Place& place, std::string message);
    /// `value` never shows in a complaint from now on; `instead` does.
    void hide(const std::string& value, const std::string& instead);
    bool empty() const { return list_.empty(); }
    /// In the order of the file, hidden values replaced.
    std::vector<Complaint> take();

private:
    struct Hidden {
        std::string value;
        std::string instead;
    };
    std::string file_;
    std::vector<Complaint> list_;
    std::vector<Hidden> hidden_;
    std::size_t left_out_ = 0;
};

/// Aliases are expanded, so a tree has no cycle; map keys are scalars and unique. A map's value i
/// is items[i] under keys[i].
struct YamlNode {
    enum class Kind : std::uint8_t { null, scalar, list, map };
    struct Key {
        std::string text;
        Place place;
    };

    Kind kind = Kind::null;
    Place place;
    std::string text;
    bool substituted = false;  // text came from the environment or a file: do not quote it
    bool unresolved = false;   // a substitution failed and was complained of: ask no more of it
    std::vector<Key> keys;
    std::vector<YamlNode> items;
};

/// nullopt: not YAML at all, and `complaints` says where. An empty document is a null node.
std::optional<YamlNode> parse_yaml(std::string_view text, Complaints& complaints);

/// Replaces ${NAME} and ${file:/path} in every scalar value; `$${` stands for `${`. Adds those
/// paths to `files`.
void substitute(YamlNode& node, const Getenv& getenv, Complaints& complaints,
                std::vector<std::string>& files);

}  // namespace weir::cli
