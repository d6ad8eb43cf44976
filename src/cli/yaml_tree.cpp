#include "cli/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_map>

namespace weir::cli {

namespace {

constexpr std::size_t kDeepest = 32;         // weir.yaml needs six
constexpr std::size_t kMostNodes = 200'000;  // aliases may multiply what stands in the file

Place place_of(const YAML::Mark& mark) {
    if (mark.is_null())
        return {};
    return {mark.line + 1, mark.column + 1, {}};
}

std::size_t depth(const YamlNode& node) {
    std::size_t deepest = 0;
    for (const YamlNode& item : node.items)
        deepest = std::max(deepest, depth(item));
    return deepest + 1;
}

std::size_t count(const YamlNode& node) {
    std::size_t total = 1;
    for (const YamlNode& item : node.items)
        total += count(item);
    return total;
}

// Builds the tree from the parser's events. YAML::Node would keep silent about duplicate keys and
// link aliases into cycles; here an alias is a copy, paid for from the same budget as any node.
class TreeBuilder : public YAML::EventHandler {
public:
    explicit TreeBuilder(Complaints& complaints) : complaints_(complaints) {}

    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (++documents_ > 1)
            throw YAML::ParserException(mark, "a second document starts here; allowed is one");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        YamlNode node;
        node.place = place_of(mark);
        finished(std::move(node), anchor, mark);
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        YamlNode node;
        node.place = place_of(mark);
        const bool plain = tag == "?" || tag.empty();
        if (!plain || (value != "~" && value != "null" && value != "Null" && value != "NULL" &&
                       !value.empty())) {
            node.kind = YamlNode::Kind::scalar;
            node.text = value;
        }
        finished(std::move(node), anchor, mark);
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        const auto found = anchors_.find(anchor);
        if (found == anchors_.end())
            throw YAML::ParserException(mark, "this alias stands inside what it names");
        if (stack_.size() + depth(found->second) > kDeepest)
            throw YAML::ParserException(mark, "nested too deeply here");
        nodes_ += count(found->second);
        check_budget(mark);
        finished(YamlNode(found->second), 0, mark);
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(YamlNode::Kind::list, mark, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(YamlNode::Kind::map, mark, anchor);
    }
    void OnMapEnd() override { close(); }

private:
    struct Frame {
        YamlNode node;
        YAML::anchor_t anchor = 0;
        YAML::Mark mark;
        bool key_next = true;
        bool key_usable = true;
        YamlNode::Key key;
        std::unordered_map<std::string, int> lines;  // where each key stood first
    };

    void check_budget(const YAML::Mark& mark) const {
        if (nodes_ > kMostNodes)
            throw YAML::ParserException(mark, "aliases make this file too large");
    }

    void open(YamlNode::Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (stack_.size() >= kDeepest)
            throw YAML::ParserException(mark, "nested too deeply here");
        Frame frame;
        frame.node.kind = kind;
        frame.node.place = place_of(mark);
        frame.anchor = anchor;
        frame.mark = mark;
        stack_.push_back(std::move(frame));
    }

    void close() {
        Frame frame = std::move(stack_.back());
        stack_.pop_back();
        finished(std::move(frame.node), frame.anchor, frame.mark);
    }

    void finished(YamlNode node, YAML::anchor_t anchor, const YAML::Mark& mark) {
        ++nodes_;
        check_budget(mark);
        if (anchor != 0) {
            nodes_ += count(node);  // the copy kept for its aliases
            check_budget(mark);
            anchors_[anchor] = node;
        }
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Frame& parent = stack_.back();
        if (parent.node.kind == YamlNode::Kind::list) {
            parent.node.items.push_back(std::move(node));
        } else if (parent.key_next) {
            parent.key_usable =
                node.kind != YamlNode::Kind::list && node.kind != YamlNode::Kind::map;
            if (!parent.key_usable)
                complaints_.add(node.place, "a key must be a word, not a list or a map");
            parent.key = {node.kind == YamlNode::Kind::null ? "null" : std::move(node.text),
                          place_of(mark)};
            parent.key_next = false;
        } else {
            parent.key_next = true;
            if (parent.key_usable)
                add_entry(parent, std::move(node));
        }
    }

    void add_entry(Frame& parent, YamlNode node) {
        const auto [first, fresh] = parent.lines.emplace(parent.key.text, parent.key.place.line);
        if (!fresh) {
            complaints_.add(parent.key.place, "`" + parent.key.text.substr(0, 100) +
                                                  "` is given twice; it stands in line " +
                                                  std::to_string(first->second) + " already");
            return;
        }
        if (node.kind == YamlNode::Kind::null)
            node.place = parent.key.place;  // nothing to point at
        parent.node.keys.push_back(std::move(parent.key));
        parent.node.items.push_back(std::move(node));
    }

    Complaints& complaints_;
    YamlNode root_;
    std::vector<Frame> stack_;
    std::map<YAML::anchor_t, YamlNode> anchors_;
    std::size_t nodes_ = 0;
    int documents_ = 0;
};

// yaml-cpp takes some control bytes for the end of the file; YAML itself forbids them.
bool has_control_bytes(std::string_view text, Complaints& complaints) {
    int line = 1;
    int column = 1;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte < 0x20 && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f) {
            complaints.add({line, column, {}}, "a control byte (" + std::to_string(byte) +
                                                   ") stands here; allowed is text in UTF-8");
            return true;
        }
        ++column;
        if (c == '\n') {
            ++line;
            column = 1;
        }
    }
    return false;
}

/// To YAML, the `{` of a ${NAME} between { } or [ ] begins a map. The first that stands there
/// without quotes, and what to write instead.
std::optional<std::pair<Place, std::string>> unquoted_substitution(std::string_view text) {
    int line = 1;
    int column = 1;
    int flow = 0;    // { and [ that are open
    char quote = 0;  // the quote that is open
    char before = ' ';
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool starts_word = before == ' ' || before == '\n' || before == '\t' ||
                                 before == ',' || before == '[' || before == '{' || before == ':';
        if (quote != 0) {
            if (c == quote && !(quote == '"' && before == '\\'))
                quote = 0;
        } else if ((c == '"' || c == '\'') && starts_word) {
            quote = c;
        } else if (c == '#' && starts_word) {
            while (i + 1 < text.size() && text[i + 1] != '\n')
                ++i;
        } else if (text.substr(i, 2) == "${") {
            if (flow > 0) {
                const std::string name(text.substr(i, std::min(text.find('}', i), i + 80) + 1 - i));
                return std::pair(Place{line, column, {}},
                                 "`" + name +
                                     "` needs quotes between { } or [ ], where a bare { "
                                     "begins a map; write \"" +
                                     name + "\"");
            }
            const auto end = text.substr(0, text.find('\n', i)).find('}', i);
            if (end != std::string_view::npos) {
                column += static_cast<int>(end - i);
                i = end;
            }
        } else if (c == '{' || c == '[') {
            ++flow;
        } else if ((c == '}' || c == ']') && flow > 0) {
            --flow;
        }
        before = text[i];
        ++column;
        if (text[i] == '\n') {
            ++line;
            column = 1;
        }
    }
    return std::nullopt;
}

}  // namespace

void Complaints::add(const Place& place, std::string message) {
    if (list_.size() >= kMost) {
        ++left_out_;
        return;
    }
    Complaint complaint{place.source.empty() ? file_ : place.source, place.line, place.column,
                        std::move(message)};
    const auto before = [](const Complaint& a, const Complaint& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    };
    list_.insert(std::ranges::upper_bound(list_, complaint, before), std::move(complaint));
}

void Complaints::hide(const std::string& value, const std::string& instead) {
    // Short values are no secrets, and replacing them would garble what is said.
    if (value.size() >= 6)
        hidden_.push_back({value, instead});
}

std::vector<Complaint> Complaints::take() {
    // Longest first, so that no part of a value stays when it contains another.
    std::ranges::sort(
        hidden_, [](const Hidden& a, const Hidden& b) { return a.value.size() > b.value.size(); });
    for (Complaint& complaint : list_) {
        for (const Hidden& hidden : hidden_) {
            std::size_t at = 0;
            while ((at = complaint.message.find(hidden.value, at)) != std::string::npos) {
                complaint.message.replace(at, hidden.value.size(), hidden.instead);
                at += hidden.instead.size();
            }
        }
    }
    if (left_out_ > 0)
        list_.push_back({file_, 0, 0, "and " + std::to_string(left_out_) + " more"});
    return std::move(list_);
}

std::optional<YamlNode> parse_yaml(std::string_view text, Complaints& complaints) {
    if (has_control_bytes(text, complaints))
        return std::nullopt;
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        TreeBuilder builder(complaints);
        while (parser.HandleNextDocument(builder)) {
        }
        return builder.take();
    } catch (const YAML::Exception& error) {
        if (const auto bare = unquoted_substitution(text))
            complaints.add(bare->first, bare->second);
        else
            complaints.add(place_of(error.mark), "not valid YAML: " + error.msg);
    } catch (const std::exception& error) {
        complaints.add({}, std::string("not valid YAML: ") + error.what());
    }
    return std::nullopt;
}

}  // namespace weir::cli
