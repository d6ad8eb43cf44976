#include "aws/quota_names.h"

#include <weir/models.h>

#include <algorithm>
#include <array>
#include <utility>

namespace weir::aws {
namespace {

constexpr std::size_t kLongestName = 300;

/// Ids as of 2026-11, for callers that have none of their own to ask about.
constexpr auto kKnown = std::to_array<std::string_view>({
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "anthropic.claude-3-opus-20240229-v1:0",
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "anthropic.claude-opus-4-20250514-v1:0",
    "anthropic.claude-opus-4-1-20250805-v1:0",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
    "anthropic.claude-opus-4-5-20251101-v1:0",
    "anthropic.claude-opus-4-6-v1",
    "anthropic.claude-sonnet-4-6",
    "anthropic.claude-opus-4-7",
    "anthropic.claude-opus-4-8",
    "anthropic.claude-sonnet-5",
    "anthropic.claude-opus-5",
    "anthropic.claude-opus-5-5",
    "amazon.nova-micro-v1:0",
    "amazon.nova-lite-v1:0",
    "amazon.nova-pro-v1:0",
    "amazon.nova-premier-v1:0",
    "amazon.nova-2-lite-v1:0",
    "amazon.titan-text-lite-v1",
    "amazon.titan-text-express-v1",
    "amazon.titan-text-premier-v1:0",
    "amazon.titan-embed-text-v1",
    "amazon.titan-embed-text-v2:0",
    "meta.llama3-8b-instruct-v1:0",
    "meta.llama3-70b-instruct-v1:0",
    "meta.llama3-1-8b-instruct-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
    "meta.llama3-1-405b-instruct-v1:0",
    "meta.llama3-2-1b-instruct-v1:0",
    "meta.llama3-2-3b-instruct-v1:0",
    "meta.llama3-2-11b-instruct-v1:0",
    "meta.llama3-2-90b-instruct-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "meta.llama4-maverick-17b-instruct-v1:0",
    "meta.llama4-scout-17b-instruct-v1:0",
    "mistral.mistral-7b-instruct-v0:2",
    "mistral.mixtral-8x7b-instruct-v0:1",
    "mistral.mistral-small-2402-v1:0",
    "mistral.mistral-large-2402-v1:0",
    "mistral.mistral-large-2407-v1:0",
    "mistral.pixtral-large-2502-v1:0",
    "cohere.command-r-v1:0",
    "cohere.command-r-plus-v1:0",
    "ai21.jamba-1-5-mini-v1:0",
    "ai21.jamba-1-5-large-v1:0",
    "deepseek.r1-v1:0",
    "deepseek.v3-v1:0",
    "openai.gpt-oss-20b-1:0",
    "openai.gpt-oss-120b-1:0",
    "qwen.qwen3-32b-v1:0",
    "writer.palmyra-x4-v1:0",
    "writer.palmyra-x5-v1:0",
});

/// Provider as Service Quotas writes it, in words, and as ids do. Longer ones first.
constexpr auto kProviders = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"mistral-ai", "mistral"}, {"ai-21-labs", "ai21"},        {"ai-21", "ai21"},
    {"writer-ai", "writer"},   {"stability-ai", "stability"}, {"moonshot-ai", "moonshot"},
    {"z-ai", "zai"},           {"anthropic", "anthropic"},    {"amazon", "amazon"},
    {"meta", "meta"},          {"mistral", "mistral"},        {"cohere", "cohere"},
    {"deepseek", "deepseek"},  {"openai", "openai"},          {"qwen", "qwen"},
    {"writer", "writer"},      {"google", "google"},          {"nvidia", "nvidia"},
    {"minimax", "minimax"},    {"twelvelabs", "twelvelabs"},  {"luma", "luma"},
});

/// Names whose words are not those of the id, in words: as written, and as in the id.
constexpr auto kOtherwise = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"llama-4-maverick", "llama-4-maverick-17-b-instruct"},
    {"llama-4-scout", "llama-4-scout-17-b-instruct"},
    {"titan-text-embeddings", "titan-embed-text"},
    {"mixtral-8-x-7-bb-instruct", "mixtral-8-x-7-b-instruct"},  // sic
});

char lower_letter(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}
bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, is_digit);
}

/// Lower case, blanks single, none at the ends.
std::string tidy(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ' ' || c == '\t') {
            if (!out.empty() && out.back() != ' ') {
                out += ' ';
            }
        } else {
            out += lower_letter(c);
        }
    }
    if (out.ends_with(' ')) {
        out.pop_back();
    }
    return out;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) {
        return false;
    }
    text.remove_prefix(prefix.size());
    return true;
}
bool take_suffix(std::string_view& text, std::string_view suffix) {
    if (!text.ends_with(suffix)) {
        return false;
    }
    text.remove_suffix(suffix.size());
    while (text.ends_with(' ')) {
        text.remove_suffix(1);
    }
    return true;
}

/// "Llama 3.1 8B" and "llama3-1-8b" are both `llama-3-1-8-b`.
std::string words_of(std::string_view text) {
    std::string out;
    char before = ' ';
    for (const char raw : text) {
        const char c = lower_letter(raw);
        if (is_letter(c) || is_digit(c)) {
            const bool within = is_letter(before) == is_letter(c) && before != ' ';
            if (!within && !out.empty()) {
                out += '-';
            }
            out += c;
            before = c;
        } else {
            before = ' ';
        }
    }
    return out;
}

bool take_word(std::string& words, std::string_view word) {
    if (words.size() <= word.size() || !words.starts_with(word) || words[word.size()] != '-') {
        return false;
    }
    words.erase(0, word.size() + 1);
    return true;
}

struct ModelKey {
    std::string provider;  // empty: not said
    std::string words;
    std::string version = "1";
};

/// Takes leading provider words; some models repeat theirs.
void take_providers(ModelKey& key) {
    for (bool taken = true; taken;) {
        taken = false;
        for (const auto& [words, provider] : kProviders) {
            if ((key.provider.empty() || key.provider == provider) && take_word(key.words, words)) {
                key.provider = provider;
                taken = true;
                break;
            }
        }
    }
}

/// `V2`, `V2.1` at the end of a name, unless it is all there is.
std::string_view take_version(std::string_view& name) {
    const auto blank = name.rfind(' ');
    if (blank == std::string_view::npos) {
        return {};
    }
    const std::string_view last = name.substr(blank + 1);
    if (last.size() < 2 || lower_letter(last[0]) != 'v' ||
        !std::ranges::all_of(last.substr(1), [](char c) { return is_digit(c) || c == '.'; })) {
        return {};
    }
    name = name.substr(0, blank);
    return last.substr(1);
}

ModelKey key_of_name(std::string_view name) {
    ModelKey key;
    std::string_view rest = name;
    const std::string_view version = take_version(rest);
    key.words = words_of(rest);
    take_providers(key);
    // "DeepSeek V3": its provider and a version are a name, not a version of nothing.
    const bool only_provider =
        std::ranges::any_of(kProviders, [&](const auto& row) { return key.words == row.first; });
    if (only_provider && !version.empty()) {
        key.words = words_of(name);
        take_providers(key);
    } else if (!version.empty()) {
        key.version = version;
    }
    const auto other =
        std::ranges::find(kOtherwise, key.words, [](const auto& row) { return row.first; });
    if (other != kOtherwise.end()) {
        key.words = other->second;
    }
    return key;
}

ModelKey key_of_id(std::string_view id) {
    ModelKey key;
    const auto dot = id.find('.');
    if (dot == std::string_view::npos) {
        return key;
    }
    key.provider = id.substr(0, dot);
    std::string_view rest = id.substr(dot + 1);
    std::string_view minor;
    if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
        minor = rest.substr(colon + 1);
        minor = minor.substr(0, minor.find(':'));
        rest = rest.substr(0, colon);
    }
    if (const auto hyphen = rest.rfind('-'); hyphen != std::string_view::npos) {
        std::string_view last = rest.substr(hyphen + 1);
        // `-v1`, `-v1:0`; `-1:0` of OpenAI's open models.
        const bool marked = last.starts_with('v') && all_digits(last.substr(1));
        if (marked || (all_digits(last) && !minor.empty())) {
            key.version = marked ? last.substr(1) : last;
            rest = rest.substr(0, hyphen);
        }
    }
    if (!minor.empty() && minor != "0") {
        key.version += "." + std::string(minor);
    }
    if (const auto hyphen = rest.rfind('-'); hyphen != std::string_view::npos) {
        const std::string_view last = rest.substr(hyphen + 1);
        if (last.size() == 8 && all_digits(last)) {  // a date
            rest = rest.substr(0, hyphen);
        }
    }
    key.words = words_of(rest);
    take_providers(key);
    return key;
}

/// `v0:2`: versions before the first, which names leave out.
bool same_version(const std::string& name, const std::string& id) {
    return name == id || (name == "1" && id.starts_with("0."));
}

bool take_scope(std::string_view& rest, QuotaScope& scope) {
    if (take_prefix(rest, "global cross-region ")) {
        scope = QuotaScope::global;
    } else if (take_prefix(rest, "cross-region ")) {
        scope = QuotaScope::cross_region;
    } else if (take_prefix(rest, "on-demand ")) {
        scope = QuotaScope::on_demand;
    } else {
        return false;
    }
    return take_prefix(rest, "model inference ") || take_prefix(rest, "invokemodel ");
}

bool take_kind(std::string_view& rest, QuotaKind& kind) {
    if (take_prefix(rest, "requests per minute for ")) {
        kind = QuotaKind::requests_per_minute;
    } else if (take_prefix(rest, "tokens per minute for ")) {
        kind = QuotaKind::tokens_per_minute;
    } else if (take_prefix(rest, "tokens per day for ")) {
        kind = QuotaKind::tokens_per_day;
    } else {
        return false;
    }
    return true;
}

}  // namespace

std::string_view to_string(QuotaScope scope) {
    constexpr std::array<std::string_view, 4> kNames{"on-demand", "cross-Region", "global",
                                                     "on-demand and cross-Region"};
    return kNames[static_cast<std::size_t>(scope)];
}

std::string_view to_string(QuotaKind kind) {
    constexpr std::array<std::string_view, 3> kNames{"requests per minute", "tokens per minute",
                                                     "tokens per day"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::optional<QuotaName> parse_quota_name(std::string_view name) {
    if (name.size() > kLongestName) {
        return std::nullopt;
    }
    const std::string text = tidy(name);
    std::string_view rest = text;
    QuotaName out;
    if (take_prefix(rest, "model invocation max tokens per day for ")) {
        out.scope = QuotaScope::regional;
        out.kind = QuotaKind::tokens_per_day;
    } else if (!take_scope(rest, out.scope) || !take_kind(rest, out.kind)) {
        return std::nullopt;
    }
    out.doubled = take_suffix(rest, "(doubled for cross-region calls)");
    for (const std::string_view suffix :
         {"(1m context length)", "(1m context window)", "(1m context)", " 1m context length",
          " 1m context window", " 1m context", "-1m context length", "-1m context"}) {
        if (take_suffix(rest, suffix)) {
            out.long_context = true;
            break;
        }
    }
    if (rest.empty()) {
        return std::nullopt;
    }
    // As it was written: the same characters of the name, blanks single.
    std::string written;
    for (const char c : name) {
        if ((c != ' ' && c != '\t') || (!written.empty() && written.back() != ' ')) {
            written += c == '\t' ? ' ' : c;
        }
    }
    out.model = written.substr(static_cast<std::size_t>(rest.data() - text.data()), rest.size());
    return out;
}

bool names_model(std::string_view quota_model, std::string_view base_id) {
    const ModelKey name = key_of_name(quota_model);
    const ModelKey id = key_of_id(base_id);
    return !name.words.empty() && name.words == id.words &&
           (name.provider.empty() || name.provider == id.provider) &&
           same_version(name.version, id.version);
}

bool covers(const QuotaName& name, std::string_view model_id) {
    const auto [geo, base] = split_model(model_id);
    const bool scope =
        geo.empty() ? name.scope == QuotaScope::on_demand || name.scope == QuotaScope::regional
        : geo == "global"
            ? name.scope == QuotaScope::global
            : name.scope == QuotaScope::cross_region || name.scope == QuotaScope::regional;
    return scope && !name.long_context && names_model(name.model, base);
}

std::vector<std::string_view> known_models(std::string_view quota_model) {
    std::vector<std::string_view> found;
    std::ranges::copy_if(kKnown, std::back_inserter(found),
                         [&](std::string_view id) { return names_model(quota_model, id); });
    return found;
}

}  // namespace weir::aws
