#include "codec/canonical.h"

#include "codec/hex.h"
#include "codec/http1_grammar.h"

#include <algorithm>

namespace weir::codec {

namespace {

using grammar::lower;

/// RFC 3986 5.2.4 with empty segments dropped as well.
std::string normalized(std::string_view path) {
    std::vector<std::string_view> kept;
    bool is_folder = true;
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t slash = std::min(path.find('/', at), path.size());
        const std::string_view segment = path.substr(at, slash - at);
        is_folder = segment.empty() || segment == "." || segment == "..";
        if (segment == ".." && !kept.empty())
            kept.pop_back();
        else if (!is_folder)
            kept.push_back(segment);
        at = slash + 1;
    }
    std::string out;
    for (std::string_view segment : kept) {
        out += '/';
        out += segment;
    }
    if (is_folder)
        out += '/';
    return out;
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/// Appends a value trimmed, its runs of blanks made one space.
void append_value(std::string& out, std::string_view value) {
    bool begun = false;
    for (std::size_t at = 0; at < value.size();) {
        std::size_t end = at;
        while (end < value.size() && !is_space(value[end]))
            ++end;
        if (end > at) {
            if (begun)
                out += ' ';
            begun = true;
            out.append(value, at, end - at);
        }
        at = end + 1;
    }
}

/// By name without case; fields of one name stay in their order, which is that of their addresses.
bool comes_before(const Field* a, const Field* b) {
    if (equals_ignore_case(a->name, b->name))
        return a < b;
    return std::ranges::lexicographical_compare(a->name, b->name, {}, lower, lower);
}

}  // namespace

void append_canonical_path(std::string& out, std::string_view path, bool normalize) {
    if (path.empty())
        out += '/';
    else if (normalize)
        append_percent_encoded(out, normalized(path), true);
    else
        append_percent_encoded(out, path, true);
}

void append_canonical_query(std::string& out, std::string_view query) {
    if (query.empty())
        return;
    std::vector<std::pair<std::string, std::string>> parameters;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view parameter = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (parameter.empty())
            continue;
        const std::size_t equals = std::min(parameter.find('='), parameter.size());
        auto& [name, value] = parameters.emplace_back();
        append_percent_encoded(name, percent_decoded(parameter.substr(0, equals)));
        if (equals < parameter.size())
            append_percent_encoded(value, percent_decoded(parameter.substr(equals + 1)));
    }
    std::ranges::sort(parameters);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        if (i > 0)
            out += '&';
        out += parameters[i].first;
        out += '=';
        out += parameters[i].second;
    }
}

void append_canonical_headers(std::string& out, std::string& names,
                              const std::vector<Field>& headers) {
    thread_local std::vector<const Field*> sorted;
    sorted.clear();
    for (const Field& header : headers)
        sorted.push_back(&header);
    std::ranges::sort(sorted, comes_before);
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const Field& header = *sorted[i];
        if (i > 0 && equals_ignore_case(header.name, sorted[i - 1]->name)) {
            out.back() = ',';  // instead of the line end
        } else {
            const std::size_t start = out.size();
            out += header.name;
            std::transform(out.begin() + static_cast<std::ptrdiff_t>(start), out.end(),
                           out.begin() + static_cast<std::ptrdiff_t>(start), lower);
            if (!names.empty())
                names += ';';
            names.append(out, start);
            out += ':';
        }
        append_value(out, header.value);
        out += '\n';
    }
}

}  // namespace weir::codec
