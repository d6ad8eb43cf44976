#include "bedrock/operation.h"

#include "codec/lanes.h"

#include <algorithm>
#include <array>
#include <optional>

namespace weir::bedrock {

namespace {

constexpr std::size_t kMaxId = 2'048;
constexpr std::string_view kModelPath = "/model/";

int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// What may stand in a path or query as it was received. Everything else has been smuggled past a
/// client library, and must not end under our signature.
bool plain_bytes(std::string_view text) {
    const std::size_t end = codec::find_first(text, 0, [](codec::Lanes bytes) {
        return ~codec::lanes_within(bytes, '!', '~') | codec::true_lanes(bytes == '\\') |
               codec::true_lanes(bytes == '#') | codec::true_lanes(bytes == '"') |
               codec::true_lanes(bytes == '<') | codec::true_lanes(bytes == '>');
    });
    return end == text.size();
}

/// No empty, "." or ".." segment: another party could resolve those to another path.
bool plain_segments(std::string_view path) {
    while (true) {
        const auto slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        if (segment.empty() || segment == "." || segment == "..") {
            return false;
        }
        if (slash == std::string_view::npos) {
            return true;
        }
        path.remove_prefix(slash + 1);
    }
}

/// Where the characters end that stand for themselves in an identifier: printable ASCII without
/// what would decode again or end the path.
std::size_t id_characters_end(std::string_view raw, std::size_t from) {
    return codec::find_first(raw, from, [](codec::Lanes bytes) {
        return ~codec::lanes_within(bytes, '!', '~') | codec::true_lanes(bytes == '%') |
               codec::true_lanes(bytes == '\\') | codec::true_lanes(bytes == '?') |
               codec::true_lanes(bytes == '#');
    });
}

/// An identifier decoded once, or nullopt if its encoding is broken, something is left that would
/// decode again, or it could be read as another path. Raw slashes are for ARNs alone.
std::optional<std::string> decode_id(std::string_view raw) {
    if (raw.empty() || raw.size() > 3 * kMaxId) {
        return std::nullopt;
    }
    const bool raw_slash = raw.find('/') != std::string_view::npos;
    std::string id;
    id.reserve(raw.size());
    for (std::size_t i = 0; i < raw.size();) {
        const std::size_t plain = i;
        i = id_characters_end(raw, i);
        id.append(raw, plain, i - plain);
        if (i == raw.size()) {
            break;
        }
        const int high = raw[i] == '%' && i + 2 < raw.size() ? hex_digit(raw[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(raw[i + 2]) : -1;
        const char decoded = static_cast<char>(high * 16 + low);
        if (low < 0 || id_characters_end({&decoded, 1}, 0) == 0) {
            return std::nullopt;
        }
        id += decoded;
        i += 3;
    }
    if (id.size() > kMaxId || (raw_slash && !id.starts_with("arn:")) || !plain_segments(id)) {
        return std::nullopt;
    }
    return id;
}

/// As the service makes them: "resp_68a1...".
bool plain_id(std::string_view id) {
    constexpr std::size_t kLongest = 256;
    return !id.empty() && id.size() <= kLongest && std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_' || c == '-';
    });
}

Match inference(std::string_view path) {
    static constexpr std::array<std::pair<std::string_view, Operation>, 6> kOperations = {{
        {"/converse", Operation::converse},
        {"/converse-stream", Operation::converse_stream},
        {"/invoke", Operation::invoke},
        {"/invoke-with-response-stream", Operation::invoke_stream},
        {"/invoke-with-bidirectional-stream", Operation::bidirectional_stream},
        {"/count-tokens", Operation::count_tokens},
    }};
    const auto slash = path.rfind('/');
    const auto* const found = std::ranges::find(kOperations, path.substr(slash),
                                                &std::pair<std::string_view, Operation>::first);
    if (found == kOperations.end() || slash < kModelPath.size()) {
        return {};
    }
    const std::string_view raw = path.substr(kModelPath.size(), slash - kModelPath.size());
    auto model = decode_id(raw);
    if (!model) {
        return {};
    }
    return {found->second, std::move(*model), raw, {}, {}};
}

Match only(Operation operation) {
    return {operation, {}, {}, {}, {}};
}

/// The guardrail's id or ARN; nullopt: another path.
std::optional<std::string> guardrail_of(std::string_view path) {
    constexpr std::string_view kHead = "/guardrail/";
    constexpr std::string_view kVersion = "/version/";
    constexpr std::string_view kTail = "/apply";
    if (!path.starts_with(kHead) || !path.ends_with(kTail)) {
        return std::nullopt;
    }
    path.remove_prefix(kHead.size());
    path.remove_suffix(kTail.size());
    const auto at = path.rfind(kVersion);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view version = path.substr(at + kVersion.size());
    if (!decode_id(version) || version.find('/') != std::string_view::npos) {
        return std::nullopt;
    }
    return decode_id(path.substr(0, at));
}

/// `/v1/models`, `/v1/models/{id}`.
Match models(std::string_view rest) {
    if (rest.empty()) {
        return only(Operation::list_models);
    }
    auto id = rest.front() == '/' ? decode_id(rest.substr(1)) : std::nullopt;
    return id ? Match{Operation::get_model, {}, {}, {}, std::move(*id)} : Match{};
}

/// The paths of OpenAI's and Anthropic's own clients. Both prefixes are the service's: which of
/// them a model answers on differs.
Match body_api(std::string_view method, std::string_view path) {
    if (method == "POST" && path == "/anthropic/v1/messages") {
        return only(Operation::messages);
    }
    if (method == "POST" && path == "/anthropic/v1/messages/count_tokens") {
        return only(Operation::count_message_tokens);
    }
    for (const std::string_view owner : {"/openai", "/anthropic"}) {
        constexpr std::string_view kModels = "/v1/models";
        const auto rest = path.starts_with(owner) ? path.substr(owner.size()) : path;
        if (method == "GET" && rest.starts_with(kModels)) {
            return models(rest.substr(kModels.size()));
        }
    }
    if (path.starts_with("/openai/v1/")) {
        path.remove_prefix(std::string_view("/openai").size());
    }
    if (method == "POST" && path == "/v1/chat/completions") {
        return only(Operation::chat_completions);
    }
    constexpr std::string_view kResponses = "/v1/responses";
    if (!path.starts_with(kResponses)) {
        return {};
    }
    path.remove_prefix(kResponses.size());
    if (path.empty()) {
        return only(method == "POST" ? Operation::responses : Operation::unknown);
    }
    const std::string_view id = path.substr(1, path.find('/', 1) - 1);
    const std::string_view what = path.substr(1 + id.size());
    const bool known = what.empty() ? method == "GET" || method == "DELETE"
                                    : (method == "GET" && what == "/input_items") ||
                                          (method == "POST" && what == "/cancel");
    if (path[0] != '/' || !known || !plain_id(id)) {
        return {};
    }
    return {Operation::stored_response, {}, {}, id, {}};
}

/// `/name` alone: an empty text. `/name/{id}`: the id. Elsewhere: nullopt.
std::optional<std::string> item_of(std::string_view path, std::string_view name) {
    if (!path.starts_with(name)) {
        return std::nullopt;
    }
    path.remove_prefix(name.size());
    if (path.empty()) {
        return std::string();
    }
    return path.front() == '/' ? decode_id(path.substr(1)) : std::nullopt;
}

/// `one`: the operation on a single thing, `all` the one without an id.
Match on_item(std::optional<std::string> item, Operation one, Operation all) {
    if (!item) {
        return {};
    }
    const Operation operation = item->empty() ? all : one;
    return operation == Operation::unknown ? Match{}
                                           : Match{operation, {}, {}, {}, std::move(*item)};
}

Match invocation_job(bool post, std::string_view path) {
    constexpr std::string_view kJob = "/model-invocation-job";
    constexpr std::string_view kStop = "/stop";
    if (!post && path == "/model-invocation-jobs") {
        return only(Operation::list_invocation_jobs);
    }
    if (!post) {
        return on_item(item_of(path, kJob), Operation::get_invocation_job, Operation::unknown);
    }
    if (path.ends_with(kStop)) {
        path.remove_suffix(kStop.size());
        return on_item(item_of(path, kJob), Operation::stop_invocation_job, Operation::unknown);
    }
    return only(path == kJob ? Operation::create_invocation_job : Operation::unknown);
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
        case Operation::chat_completions:
            return "ChatCompletions";
        case Operation::responses:
            return "Responses";
        case Operation::messages:
            return "Messages";
        case Operation::count_tokens:
            return "CountTokens";
        case Operation::count_message_tokens:
            return "CountMessageTokens";
        case Operation::apply_guardrail:
            return "ApplyGuardrail";
        case Operation::guardrail_checks:
            return "InvokeGuardrailChecks";
        case Operation::rerank:
            return "Rerank";
        case Operation::create_invocation_job:
            return "CreateModelInvocationJob";
        case Operation::get_invocation_job:
            return "GetModelInvocationJob";
        case Operation::list_invocation_jobs:
            return "ListModelInvocationJobs";
        case Operation::stop_invocation_job:
            return "StopModelInvocationJob";
        case Operation::list_models:
            return "ListModels";
        case Operation::get_model:
            return "GetModel";
        case Operation::start_async_invoke:
            return "StartAsyncInvoke";
        case Operation::get_async_invoke:
            return "GetAsyncInvoke";
        case Operation::list_async_invokes:
            return "ListAsyncInvokes";
        case Operation::stored_response:
            return "StoredResponse";
        case Operation::bidirectional_stream:
            return "InvokeModelWithBidirectionalStream";
        case Operation::control_plane:
            return "ControlPlane";
        case Operation::unknown:
            break;
    }
    return "Unknown";
}

Match match(std::string_view method, std::string_view target) {
    if (!plain_bytes(target) || !target.starts_with('/')) {
        return {};
    }
    const std::string_view path = target.substr(0, target.find('?'));
    const bool post = method == "POST";
    const bool get = method == "GET";
    if (post && path.starts_with(kModelPath)) {
        return inference(path);
    }
    if (dialect_of(path) != Dialect::aws) {
        return body_api(method, path);
    }
    if (!post && !get) {
        return {};
    }
    if (path.starts_with("/async-invoke")) {
        return on_item(item_of(path, "/async-invoke"),
                       get ? Operation::get_async_invoke : Operation::unknown,
                       get ? Operation::list_async_invokes : Operation::start_async_invoke);
    }
    if (path.starts_with("/model-invocation-job")) {
        return invocation_job(post, path);
    }
    if (get) {
        auto item = item_of(path, "/inference-profiles");
        if (!item) {
            item = item_of(path, "/foundation-models");
        }
        return on_item(std::move(item), Operation::control_plane, Operation::control_plane);
    }
    if (auto guardrail = guardrail_of(path)) {
        return {Operation::apply_guardrail, {}, {}, {}, std::move(*guardrail)};
    }
    return only(path == "/rerank"                    ? Operation::rerank
                : path == "/guardrail-checks/invoke" ? Operation::guardrail_checks
                                                     : Operation::unknown);
}

Dialect dialect_of(std::string_view target) {
    if (target.starts_with("/openai/") || target.starts_with("/v1/")) {
        return Dialect::openai;
    }
    return target.starts_with("/anthropic/") ? Dialect::anthropic : Dialect::aws;
}

ClientPrefix split_client_prefix(std::string_view target) {
    if (!target.starts_with("/@")) {
        return {{}, target};
    }
    const auto end = target.find('/', 2);
    const std::string_view name = target.substr(2, end == std::string_view::npos ? end : end - 2);
    if (name.empty() || end == std::string_view::npos || name.find('?') != std::string_view::npos) {
        return {{}, target};  // a name that nothing follows is a path of its own
    }
    return {name, target.substr(end)};
}

std::string with_api_path(std::string_view target, ApiPath path) {
    constexpr std::string_view kOpenAi = "/openai";
    if (dialect_of(target) != Dialect::openai || path == ApiPath::as_asked) {
        return std::string(target);
    }
    if (target.starts_with("/openai/v1/")) {
        target.remove_prefix(kOpenAi.size());
    }
    return path == ApiPath::v1 ? std::string(target) : std::string(kOpenAi) + std::string(target);
}

std::string with_model(std::string_view target, std::string_view raw_model,
                       std::string_view model) {
    static constexpr std::string_view kHex = "0123456789ABCDEF";
    // Looked for after "/model/": the id itself could be "model".
    const auto head = target.find(kModelPath);
    const auto from = raw_model.empty() || head == std::string_view::npos
                          ? std::string_view::npos
                          : target.find(raw_model, head + kModelPath.size());
    if (from == std::string_view::npos) {
        return std::string(target);
    }
    std::string out(target.substr(0, from));
    out.reserve(target.size() + 3 * model.size());
    for (const char c : model) {
        const auto byte = static_cast<unsigned char>(c);
        const bool kept = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                          (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
        if (kept) {
            out.push_back(c);
        } else {
            out.push_back('%');
            out.push_back(kHex[byte >> 4]);
            out.push_back(kHex[byte & 15]);
        }
    }
    out.append(target.substr(from + raw_model.size()));
    return out;
}

}  // namespace weir::bedrock
