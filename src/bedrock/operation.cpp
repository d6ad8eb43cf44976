#include "bedrock/operation.h"

#include <algorithm>
#include <array>
#include <optional>

namespace weir::bedrock {
namespace {

constexpr std::size_t kMaxModel = 2048;

int hex(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/// Decodes once. What is left must be plain: no control byte, no '%' (a second layer of encoding),
/// no dot segment; such a path would mean one thing to us and another to somebody behind us.
std::optional<std::string> decode(std::string_view raw) {
    if (raw.empty() || raw.size() > 3 * kMaxModel) {
        return std::nullopt;
    }
    std::string text;
    text.reserve(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        char c = raw[i];
        if (c == '%') {
            if (i + 2 >= raw.size() || hex(raw[i + 1]) < 0 || hex(raw[i + 2]) < 0) {
                return std::nullopt;
            }
            c = static_cast<char>(hex(raw[i + 1]) << 4 | hex(raw[i + 2]));
            i += 2;
        }
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte == 0x7f || c == '%' || c == '\\' || c == '?' || c == '#') {
            return std::nullopt;
        }
        text.push_back(c);
    }
    if (text.size() > kMaxModel || text.front() == '/' || text.back() == '/' ||
        text.find("//") != std::string::npos) {
        return std::nullopt;
    }
    for (std::size_t from = 0; from <= text.size();) {
        const auto to = std::min(text.find('/', from), text.size());
        const auto segment = std::string_view(text).substr(from, to - from);
        if (segment == "." || segment == "..") {
            return std::nullopt;
        }
        from = to + 1;
    }
    return text;
}

struct Suffix {
    std::string_view text;
    Operation operation;
};
constexpr std::array<Suffix, 5> kSuffixes{{
    {"/converse", Operation::converse},
    {"/converse-stream", Operation::converse_stream},
    {"/invoke", Operation::invoke},
    {"/invoke-with-response-stream", Operation::invoke_stream},
    {"/count-tokens", Operation::count_tokens},
}};

/// GET paths that are passed on under `root`: itself, or with one more part.
bool under(std::string_view path, std::string_view root) {
    if (!path.starts_with(root)) {
        return false;
    }
    path.remove_prefix(root.size());
    return path.empty() || (path.starts_with('/') && decode(path.substr(1)).has_value());
}

bool plain_segment(std::string_view segment) {
    return segment.find('/') == std::string_view::npos && decode(segment).has_value();
}

}  // namespace

std::string_view to_string(Operation operation) {
    switch (operation) {
        case Operation::converse:
            return "Converse";
        case Operation::converse_stream:
            return "ConverseStream";
        case Operation::invoke:
            return "InvokeModel";
        case Operation::invoke_stream:
            return "InvokeModelWithResponseStream";
        case Operation::count_tokens:
            return "CountTokens";
        case Operation::apply_guardrail:
            return "ApplyGuardrail";
        case Operation::start_async_invoke:
            return "StartAsyncInvoke";
        case Operation::get_async_invoke:
            return "GetAsyncInvoke";
        case Operation::list_async_invokes:
            return "ListAsyncInvokes";
        case Operation::control_plane:
            return "ControlPlane";
        case Operation::unknown:
            break;
    }
    return "Unknown";
}

Match match(std::string_view method, std::string_view target) {
    Match m;
    const auto path = target.substr(0, target.find('?'));
    if (method == "POST" && path.starts_with("/model/")) {
        for (const auto& [suffix, operation] : kSuffixes) {
            if (path.size() <= 7 + suffix.size() || !path.ends_with(suffix)) {
                continue;
            }
            const auto raw = path.substr(7, path.size() - 7 - suffix.size());
            auto model = decode(raw);
            // Only an ARN has slashes of its own.
            if (!model || (model->find('/') != std::string::npos && !model->starts_with("arn:"))) {
                return m;
            }
            m.operation = operation;
            m.model = std::move(*model);
            m.raw_model = raw;
            return m;
        }
        return m;
    }
    if (method == "POST" && path == "/async-invoke") {
        m.operation = Operation::start_async_invoke;
    } else if (method == "GET" && path == "/async-invoke") {
        m.operation = Operation::list_async_invokes;
    } else if (method == "GET" && path.starts_with("/async-invoke/") && decode(path.substr(14))) {
        m.operation = Operation::get_async_invoke;
    } else if (method == "GET" &&
               (under(path, "/inference-profiles") || under(path, "/foundation-models"))) {
        m.operation = Operation::control_plane;
    } else if (method == "POST" && path.starts_with("/guardrail/") && path.ends_with("/apply")) {
        const auto inner = path.substr(11, path.size() - 11 - 6);
        const auto at = inner.rfind("/version/");
        if (at != std::string_view::npos && decode(inner.substr(0, at)) &&
            plain_segment(inner.substr(at + 9))) {
            m.operation = Operation::apply_guardrail;
        }
    }
    return m;
}

ClientPrefix split_client_prefix(std::string_view target) {
    if (!target.starts_with("/@")) {
        return {{}, target};
    }
    const auto end = target.find('/', 2);
    if (end == std::string_view::npos || end == 2) {
        return {{}, target};
    }
    return {target.substr(2, end - 2), target.substr(end)};
}

std::string with_model(std::string_view target, std::string_view raw_model,
                       std::string_view model) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    const auto at = static_cast<std::size_t>(raw_model.data() - target.data());
    std::string out;
    out.reserve(target.size() + model.size() + 16);
    out.append(target.substr(0, at));
    for (const char c : model) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        }
    }
    out.append(target.substr(at + raw_model.size()));
    return out;
}

}  // namespace weir::bedrock
