#include "aws/ini.h"

#include "aws/text.h"

namespace weir::aws {
namespace {

/// `profile   "my name"` and `profile my name` both become `profile my name`.
std::string heading(std::string_view inside) {
    std::string out;
    for (char c : trim(inside)) {
        if (c == '"' || c == '\'') {
            continue;
        }
        bool blank = c == ' ' || c == '\t';
        if (blank && (out.empty() || out.back() == ' ')) {
            continue;
        }
        out += blank ? ' ' : c;
    }
    return out;
}

/// Cuts `value  # comment`. A command line keeps its semicolons and hashes: the shell reads them.
std::string_view without_comment(std::string_view key, std::string_view value) {
    if (key == "credential_process") {
        return value;
    }
    for (std::size_t i = 1; i < value.size(); ++i) {
        bool comment = value[i] == '#' || value[i] == ';';
        if (comment && (value[i - 1] == ' ' || value[i - 1] == '\t')) {
            return trim(value.substr(0, i));
        }
    }
    return value;
}

class Parser {
public:
    IniFile take(std::string_view text) {
        if (text.starts_with("\xef\xbb\xbf")) {
            text.remove_prefix(3);
        }
        while (!text.empty()) {
            std::size_t end = text.find('\n');
            line(text.substr(0, end));
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        }
        return std::move(file_);
    }

private:
    void line(std::string_view raw) {
        std::string_view text = trim(raw);
        if (text.empty() || text.front() == '#' || text.front() == ';') {
            return;
        }
        std::size_t indent = raw.find_first_not_of(" \t");
        if (value_ != nullptr && indent > key_indent_) {
            *value_ += (value_->empty() ? "" : "\n") + std::string(text);
            return;
        }
        if (text.front() == '[') {
            open_section(text);
            return;
        }
        std::size_t equals = text.find('=');
        if (section_ == nullptr || equals == std::string_view::npos || equals == 0) {
            return;
        }
        std::string key = lower(trim(text.substr(0, equals)));
        std::string_view value = trim(text.substr(equals + 1));
        value_ = &(*section_)[key];
        *value_ = std::string(without_comment(key, value));
        key_indent_ = indent;
    }

    void open_section(std::string_view text) {
        std::size_t close = text.find(']');
        value_ = nullptr;
        section_ =
            close == std::string_view::npos ? nullptr : &file_[heading(text.substr(1, close - 1))];
    }

    IniFile file_;
    IniSection* section_ = nullptr;  // null before the first heading and after a broken one
    std::string* value_ = nullptr;   // of the latest key, for continuation lines
    std::size_t key_indent_ = 0;
};

}  // namespace

IniFile parse_ini(std::string_view text) {
    return Parser().take(text);
}

const IniSection* config_profile(const IniFile& file, const std::string& profile) {
    auto found = file.find("profile " + profile);
    if (found == file.end() && profile == "default") {
        found = file.find("default");
    }
    return found == file.end() ? nullptr : &found->second;
}

}  // namespace weir::aws
