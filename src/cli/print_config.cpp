// The whole configuration, every default filled in, each key explained; read back it gives the same
// Config. Secrets are the exception: they are left out, with a line that says so.

#include "cli/config_file.h"
#include "policy/setting_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <concepts>

namespace weir::cli {

namespace {

using policy::Row;

bool is_plain(std::string_view text) {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (text.empty() || !letter(text.front()) || text.back() == ':')
        return false;
    static constexpr std::string_view kWords[] = {"true", "false", "yes", "no", "on",
                                                  "off",  "null",  "y",   "n"};
    std::string lower(text);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    if (std::ranges::find(kWords, lower) != std::end(kWords))
        return false;
    return std::ranges::all_of(text, [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    });
}

std::string quote(std::string_view text, bool is_key = false) {
    if (is_plain(text))
        return std::string(text);
    std::string out = "\"";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto byte = static_cast<unsigned char>(c);
        if (!is_key && text.substr(i, 2) == "${")
            out += "$$";
        else if (c == '"' || c == '\\')
            out += fmt::format("\\{}", c);
        else if (byte < 0x20 || byte == 0x7f)
            out += fmt::format("\\x{:02x}", byte);
        else
            out += c;
    }
    return out + "\"";
}

std::string list(const std::vector<std::string>& items) {
    std::string out = "[";
    for (const std::string& item : items)
        out += (out.size() > 1 ? ", " : "") + quote(item);
    return out + "]";
}

/// Writes a line for each row; of what is not set, a comment.
class Printer {
public:
    /// `element`: the key of the map's entry that is printed.
    explicit Printer(int indent, std::string_view element = {})
        : indent_(indent), element_(element) {}

    void heading(std::string_view text) {
        out_ += fmt::format("{}# {}\n", out_.empty() ? "" : "\n", text);
    }
    template <class T>
    void operator()(const T& value, const Row& row) {
        if (!row.has(policy::kHidden))
            print(value, row);
    }
    bool nothing_set() const { return nothing_set_; }
    std::string take() { return std::move(out_); }

private:
    void print(bool value, const Row& row) { line(row, value ? "true" : "false"); }
    void print(Duration value, const Row& row) { line(row, format_duration(value)); }
    template <class T>
        requires std::integral<T> || std::floating_point<T>
    void print(T value, const Row& row) {
        if (value == 0 && row.has(policy::kZeroUnset))
            absent(row);
        else if (row.has(policy::kSize))
            line(row, format_size(static_cast<std::uint64_t>(value)));
        else
            line(row, fmt::format("{}", value));
    }
    template <class T>
        requires std::is_enum_v<T>
    void print(T value, const Row& row) {
        const auto& names = policy::kNames<T>;
        const auto found = std::ranges::find(names, value, &policy::Name<T>::second);
        if (found == names.end())
            absent(row);
        else
            line(row, found->first);
    }
    void print(const std::string& value, const Row& row) {
        if (row.has(policy::kSecret))
            absent(row, value.empty() ? "" : "set, and not shown; ");
        else if (value.empty() && !row.has(policy::kShowEmpty) && !first_of_item_)
            absent(row);
        else
            line(row, quote(value));
    }
    void print(const std::vector<std::string>& values, const Row& row) { line(row, list(values)); }
    void print(const std::map<std::string, std::string>& values, const Row& row) {
        if (values.empty() && !row.has(policy::kShowEmpty)) {
            absent(row);
            return;
        }
        line(row, values.empty() ? "{}" : "");
        for (const auto& [name, value] : values)
            out_ += fmt::format("{:{}}{}: {}\n", "", indent_ + 2, quote(name, true), quote(value));
    }
    template <class T>
    void print(const std::optional<T>& value, const Row& row) {
        if (value)
            print(*value, row);
        else
            absent(row);
    }
    template <policy::Section T>
    void print(const T& value, const Row& row) {
        line(row, "");
        Printer inner(indent_ + 2);
        policy::visit(inner, value);
        out_ += inner.take();
    }
    template <policy::Section T>
    void print(const std::vector<T>& values, const Row& row) {
        line(row, values.empty() ? "[]" : "");
        for (const T& value : values) {
            Printer inner(indent_ + 4);
            inner.first_of_item_ = true;
            policy::visit(inner, value);
            out_ += inner.take();
        }
    }
    template <policy::Section T>
    void print(const std::map<std::string, T>& values, const Row& row) {
        line(row, values.empty() ? "{}" : "", values.empty() ? row.unset : row.comment);
        for (const auto& [name, value] : values) {
            Printer inner(indent_ + 4, name);
            policy::visit(inner, value);
            out_ += fmt::format("{:{}}{}:{}\n", "", indent_ + 2, quote(name, true),
                                inner.nothing_set() ? " {}" : "");
            out_ += inner.take();
        }
    }

    void line(const Row& row, std::string_view value) { line(row, value, row.comment); }
    void line(const Row& row, std::string_view value, std::string_view comment) {
        nothing_set_ = false;
        const int dash = std::exchange(first_of_item_, false) ? 2 : 0;
        end(fmt::format("{:{}}{}{}:{}{}", "", indent_ - dash, dash > 0 ? "- " : "", row.key,
                        value.empty() ? "" : " ", value),
            comment);
    }
    /// A key that is not set, as a comment.
    void absent(const Row& row, std::string_view before = "") {
        end(fmt::format("{:{}}# {}:", "", indent_, row.key),
            std::string(before) + std::string(row.unset.empty() ? row.comment : row.unset));
    }
    void end(const std::string& text, std::string_view comment) {
        std::string shown(comment);
        if (const auto at = shown.find("{}"); at != std::string::npos)
            shown.replace(at, 2, element_);
        out_ += shown.empty() ? text + "\n" : fmt::format("{:<44}  # {}\n", text, shown);
    }

    int indent_;
    std::string_view element_;
    bool first_of_item_ = false;
    bool nothing_set_ = true;
    std::string out_;
};

}  // namespace

std::string print_config(const Config& config) {
    Printer out(0);
    policy::visit(out, config);
    return out.take();
}

}  // namespace weir::cli
