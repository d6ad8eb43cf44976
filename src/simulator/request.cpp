#include "simulator/request.h"

#include "codec/base64.h"
#include "codec/hex.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace weir::simulator {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kImageTokens = 1600;

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) {
        return false;
    }
    text.remove_prefix(prefix.size());
    return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix) || text.size() <= suffix.size()) {
        return false;
    }
    text.remove_suffix(suffix.size());
    return true;
}

/// `/openai/v1/...` and `/v1/...`, without the prefix; empty: elsewhere.
std::string_view openai_path(std::string_view path) {
    take_prefix(path, "/openai");
    return take_prefix(path, "/v1") ? path : std::string_view();
}

Path parse_post(std::string_view path) {
    if (path == "/anthropic/v1/messages") {
        return {.action = Action::messages, .id = {}, .openai = {}};
    }
    if (const auto rest = openai_path(path); !rest.empty()) {
        const std::string_view openai = path.substr(0, path.size() - rest.size());
        return rest == "/chat/completions"
                   ? Path{.action = Action::chat, .id = {}, .openai = openai}
               : rest == "/responses"
                   ? Path{.action = Action::responses, .id = {}, .openai = openai}
                   : Path{};
    }
    if (path == "/async-invoke") {
        return {.action = Action::async_start, .id = {}, .openai = {}};
    }
    if (take_prefix(path, "/guardrail/")) {
        return take_suffix(path, "/apply")
                   ? Path{.action = Action::guardrail, .id = {}, .openai = {}}
                   : Path{};
    }
    if (!take_prefix(path, "/model/")) {
        return {};
    }
    constexpr std::array kSuffixes{
        std::pair{std::string_view("/converse"), Action::converse},
        std::pair{std::string_view("/converse-stream"), Action::converse_stream},
        std::pair{std::string_view("/invoke"), Action::invoke},
        std::pair{std::string_view("/invoke-with-response-stream"), Action::invoke_stream},
        std::pair{std::string_view("/count-tokens"), Action::count_tokens},
    };
    for (const auto& [suffix, action] : kSuffixes) {
        if (take_suffix(path, suffix)) {
            return {.action = action, .id = codec::percent_decoded(path), .openai = {}};
        }
    }
    return {};
}

Path parse_response(std::string_view method, std::string_view path) {
    auto rest = openai_path(path);
    if (!take_prefix(rest, "/responses/") || rest.find('/') != std::string_view::npos) {
        return {};
    }
    return {.action = method == "GET" ? Action::response_get : Action::response_delete,
            .id = std::string(rest),
            .openai = path.substr(0, path.find("/responses/"))};
}

Path parse_get(std::string_view path) {
    if (path == "/async-invoke") {
        return {.action = Action::async_list, .id = {}, .openai = {}};
    }
    if (path == "/inference-profiles") {
        return {.action = Action::profiles, .id = {}, .openai = {}};
    }
    if (path == "/foundation-models") {
        return {.action = Action::models, .id = {}, .openai = {}};
    }
    if (take_prefix(path, "/async-invoke/")) {
        return {.action = Action::async_get, .id = codec::percent_decoded(path), .openai = {}};
    }
    if (take_prefix(path, "/inference-profiles/")) {
        return {.action = Action::profile, .id = codec::percent_decoded(path), .openai = {}};
    }
    if (take_prefix(path, "/foundation-models/")) {
        return {.action = Action::model, .id = codec::percent_decoded(path), .openai = {}};
    }
    return {};
}

std::uint64_t code_points(std::string_view text) {
    return static_cast<std::uint64_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

/// Sums characters of text. Walks with a stack of its own: a document may be deep.
class TextCounter {
public:
    void walk(const Json& root) {
        std::vector<const Json*> open{&root};
        while (!open.empty()) {
            const Json* node = open.back();
            open.pop_back();
            if (node->is_string()) {
                take(node->get_ref<const std::string&>());
            } else if (node->is_array()) {
                for (auto it = node->rbegin(); it != node->rend(); ++it) {
                    open.push_back(&*it);
                }
            } else if (node->is_object()) {
                for (const auto& [key, value] : node->items()) {
                    if (key == "bytes" || key == "data" || key == "s3Location" || key == "url") {
                        blobs_ += value.is_string() || value.is_object() ? 1 : 0;
                    } else if (key != "role" && key != "type" && key != "format") {
                        open.push_back(&value);
                    }
                }
            }
        }
    }
    std::uint64_t tokens() const { return (characters_ + 3) / 4 + blobs_ * kImageTokens; }

    Directives directives;
    std::string last;

private:
    void take(const std::string& text) {
        characters_ += code_points(text);
        if (text.find("[[") != std::string::npos) {
            read_directives(text, directives);
        }
        last = text;
    }
    std::uint64_t characters_ = 0;
    std::uint64_t blobs_ = 0;
};

const Json* member(const Json& object, std::string_view key) {
    if (!object.is_object()) {
        return nullptr;
    }
    const auto it = object.find(key);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

std::string text_member(const Json* object, std::string_view key) {
    const Json* value = object ? member(*object, key) : nullptr;
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

const Json* max_member(const Json& body, Language language) {
    const auto nested = [&](std::string_view outer, std::string_view inner) -> const Json* {
        const Json* object = member(body, outer);
        return object ? member(*object, inner) : nullptr;
    };
    switch (language) {
        case Language::converse:
            return nested("inferenceConfig", "maxTokens");
        case Language::nova: {
            const Json* value = nested("inferenceConfig", "maxTokens");
            return value ? value : nested("inferenceConfig", "max_new_tokens");
        }
        case Language::titan:
            return nested("textGenerationConfig", "maxTokenCount");
        case Language::llama:
            return member(body, "max_gen_len");
        case Language::openai: {
            const Json* value = member(body, "max_completion_tokens");
            return value ? value : member(body, "max_tokens");
        }
        case Language::responses:
            return member(body, "max_output_tokens");
        default:
            return member(body, "max_tokens");
    }
}

constexpr std::string_view kMalformed =
    "Malformed input request, please reformat your input and try again.";

Result<Ask> read_document(const Json& body, Language language) {
    if (!body.is_object()) {
        return failure(std::string(kMalformed));
    }
    const std::string_view prompt = language == Language::titan       ? "inputText"
                                    : language == Language::responses ? "input"
                                    : language == Language::llama     ? "prompt"
                                    : language == Language::mistral && body.contains("prompt")
                                        ? "prompt"
                                        : "messages";
    const Json* text = member(body, prompt);
    if (text == nullptr) {
        return failure("Malformed input request: #: required key [" + std::string(prompt) +
                       "] not found, please reformat your input and try again.");
    }
    if (prompt == "messages" && (!text->is_array() || text->empty())) {
        return failure(
            "A conversation must start with a user message. Try again with a "
            "conversation that starts with a user message.");
    }
    Ask ask;
    TextCounter counter;
    for (const std::string_view key : {"system", "toolConfig", "tools", "instructions"}) {
        if (const Json* part = member(body, key)) {
            counter.walk(*part);
        }
    }
    counter.walk(*text);
    ask.input = counter.tokens() + 4 * (text->is_array() ? text->size() : 1);
    ask.directives = counter.directives;
    ask.last_text = std::move(counter.last);
    if (ask.directives.input) {
        ask.input = *ask.directives.input;
    }
    if (language == Language::converse) {
        ask.tier = text_member(member(body, "serviceTier"), "type");
        ask.guardrail = text_member(member(body, "guardrailConfig"), "guardrailIdentifier");
    } else if (language == Language::openai || language == Language::responses) {
        ask.tier = text_member(&body, "service_tier");
    }
    if (const Json* max = max_member(body, language)) {
        if (!max->is_number_integer() || *max < 1) {
            return failure(
                "Value at 'maxTokens' failed to satisfy constraint: Member must have "
                "value greater than or equal to 1");
        }
        ask.max_output = max->get<std::uint64_t>();
    }
    return ask;
}

std::optional<std::string> base64_decoded(std::string_view text) {
    std::string out;
    const std::size_t end = codec::append_base64_decoded(out, text);
    if (end < text.size() && text[end] != '=') {
        return std::nullopt;
    }
    return out;
}

template <class T>
std::optional<T> number(std::string_view text) {
    T value{};
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<Duration> duration(std::string_view text) {
    double unit = 0;
    if (take_suffix(text, "ms")) {
        unit = 0.001;
    } else if (take_suffix(text, "s")) {
        unit = 1;
    }
    const auto value = number<double>(text);
    if (unit == 0 || !value || !(*value >= 0 && *value <= 86400)) {
        return std::nullopt;
    }
    return from_seconds(*value * unit);
}

void read_directive(std::string_view name, std::string_view value, Directives& into) {
    constexpr std::uint64_t kMost = 100'000'000;
    const std::array counts{std::pair("output", &into.output), std::pair("input", &into.input),
                            std::pair("cache_read", &into.cache_read),
                            std::pair("cache_write", &into.cache_write),
                            std::pair("cache_write_1h", &into.cache_write_1h)};
    if (const auto* const known = std::ranges::find(
            counts, name, [](const auto& c) { return std::string_view(c.first); });
        known != counts.end()) {
        if (const auto n = number<std::uint64_t>(value); n && *n <= kMost) {
            *known->second = n;
        }
    } else if (name == "ttft") {
        into.ttft = duration(value);
    } else if (name == "rate") {
        if (const auto rate = number<double>(value); rate && *rate > 0) {
            into.rate = rate;
        }
    } else if (name == "fault") {
        into.fault = parse_fault_kind(value);
    }
}

}  // namespace

Path parse_path(std::string_view method, std::string_view target) {
    const std::string_view path = target.substr(0, target.find('?'));
    if (method == "POST") {
        Path found = parse_post(path);
        if (found.action == Action::unknown && path == "/async-invoke/") {
            found.action = Action::async_start;
        }
        return found;
    }
    if (method == "GET" || method == "DELETE") {
        if (Path kept = parse_response(method, path); kept.action != Action::unknown) {
            return kept;
        }
    }
    return method == "GET" ? parse_get(path) : Path{};
}

bool is_tier(std::string_view name) {
    static constexpr std::array<std::string_view, 5> kTiers{"priority", "default", "flex",
                                                            "reserved", "auto"};
    return std::ranges::find(kTiers, name) != kTiers.end();
}

std::string_view model_of(std::string_view id) {
    if (!id.starts_with("arn:")) {
        return id;
    }
    const auto slash = id.rfind('/');
    return slash == std::string_view::npos ? id : id.substr(slash + 1);
}

Language language_of(std::string_view model) {
    const auto has = [&](std::string_view part) {
        return model.find(part) != std::string_view::npos;
    };
    if (has("nova")) {
        return Language::nova;
    }
    if (has("titan")) {
        return Language::titan;
    }
    if (has("llama")) {
        return Language::llama;
    }
    if (has("mistral")) {
        return Language::mistral;
    }
    if (has("openai") || has("gpt-")) {
        return Language::openai;
    }
    return Language::anthropic;
}

std::uint64_t maximum_output(std::string_view model) {
    static constexpr std::array kMaxima{
        std::pair{std::string_view("claude-3-haiku"), 4096U},
        std::pair{std::string_view("claude-3-sonnet"), 4096U},
        std::pair{std::string_view("claude-3-opus"), 4096U},
        std::pair{std::string_view("claude-3-5"), 8192U},
        std::pair{std::string_view("claude-opus-4-20250514"), 32000U},
        std::pair{std::string_view("claude-opus-4-1"), 32000U},
        std::pair{std::string_view("nova-premier"), 32000U},
        std::pair{std::string_view("nova"), 10000U},
        std::pair{std::string_view("titan-text-premier"), 3072U},
        std::pair{std::string_view("titan"), 8192U},
        std::pair{std::string_view("llama"), 8192U},
        std::pair{std::string_view("mistral"), 8192U},
    };
    for (const auto& [part, tokens] : kMaxima) {
        if (model.find(part) != std::string_view::npos) {
            return tokens;
        }
    }
    return 64'000;
}

void read_directives(std::string_view text, Directives& into) {
    constexpr std::size_t kLongest = 64;
    for (std::size_t at = text.find("[["); at != std::string_view::npos; at = text.find("[[", at)) {
        at += 2;
        const std::string_view rest = text.substr(at, kLongest);
        const auto end = rest.find("]]");
        if (end == std::string_view::npos) {
            continue;
        }
        const std::string_view directive = rest.substr(0, end);
        const auto equals = directive.find('=');
        if (equals != std::string_view::npos) {
            read_directive(directive.substr(0, equals), directive.substr(equals + 1), into);
        } else if (directive == "echo") {
            into.echo = true;
        }
    }
}

Result<Ask> read_body(std::string_view body, Language language) {
    const Json document = Json::parse(body, nullptr, false);
    if (document.is_discarded()) {
        return failure(std::string(kMalformed));
    }
    return read_document(document, language);
}

Result<std::uint64_t> read_count(std::string_view body, Language invoke_language) {
    const Json document = Json::parse(body, nullptr, false);
    if (document.is_discarded()) {
        return failure(std::string(kMalformed));
    }
    const Json* input = member(document, "input");
    const Json* converse = input ? member(*input, "converse") : nullptr;
    const Json* invoke = input ? member(*input, "invokeModel") : nullptr;
    if (converse != nullptr) {
        const auto ask = read_document(*converse, Language::converse);
        if (!ask) {
            return std::unexpected(ask.error());
        }
        return ask->input;
    }
    const Json* inner = invoke ? member(*invoke, "body") : nullptr;
    if (inner == nullptr || !inner->is_string()) {
        return failure(std::string(kMalformed));
    }
    const auto decoded = base64_decoded(inner->get_ref<const std::string&>());
    if (!decoded) {
        return failure(std::string(kMalformed));
    }
    const auto ask = read_body(*decoded, invoke_language);
    if (!ask) {
        return std::unexpected(ask.error());
    }
    return ask->input;
}

}  // namespace weir::simulator
