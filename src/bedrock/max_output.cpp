#include "bedrock/max_output.h"

#include "bedrock/json.h"
#include "bedrock/request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <vector>

namespace weir::bedrock {

namespace {

constexpr std::uint64_t kLargest = 1'000'000'000;

bool is_converse(Operation operation) {
    return operation == Operation::converse || operation == Operation::converse_stream;
}

/// Name for a request that has none yet; empty where a new member could make a good body bad.
std::string_view new_name(Operation operation, Family family) {
    if (is_converse(operation)) {
        return "maxTokens";
    }
    if (operation == Operation::chat_completions) {
        return "max_completion_tokens";
    }
    if (operation == Operation::responses) {
        return "max_output_tokens";
    }
    if (operation == Operation::messages) {
        return "max_tokens";
    }
    switch (family) {
        case Family::anthropic:
        case Family::mistral:
        case Family::cohere:
            return "max_tokens";
        case Family::openai:
            return "max_completion_tokens";
        case Family::nova:
            return "maxTokens";
        case Family::titan:
            return "maxTokenCount";
        case Family::llama:
            return "max_gen_len";
        case Family::unknown:
            break;
    }
    return {};
}

struct Span {
    std::size_t at = 0;
    std::size_t size = 0;
};

/// What a second reading finds. More than one number is possible, and then all must change: which
/// of them the service obeys is not known.
struct Places {
    std::vector<Span> numbers;
    std::vector<Span> additional;             // among additionalModelRequestFields
    std::optional<std::size_t> in_container;  // right behind its brace
    bool container_empty = true;
    std::optional<Span> container_scalar;  // `"inferenceConfig": null`
    std::optional<std::size_t> in_root;
    bool root_empty = true;
    bool odd = false;  // a list or object where a number belongs
};

class Locator {
public:
    Locator(Operation operation, Family family, const char* base)
        : operation_(operation), family_(family), base_(base) {}

    bool root(ondemand::object object) {
        for (auto item : object) {
            ondemand::field field;
            if (std::move(item).get(field) != simdjson::SUCCESS) {
                return false;
            }
            places_.root_empty = false;
            const std::string_view name = key_of(field);
            const std::string_view container = max_output_container(operation_, family_);
            if (is_max_output(operation_, family_, name, false)) {
                number(field.value(), places_.numbers);
            } else if (is_converse(operation_) && name == kAdditionalFields) {
                if (!additional(field.value())) {
                    return false;
                }
            } else if (!container.empty() && name == container && !inside(field.value())) {
                return false;
            }
        }
        return true;
    }

    Places& places() { return places_; }

private:
    bool inside(ondemand::value& value) {
        const std::string_view token = token_of(value);
        const auto at = static_cast<std::size_t>(token.data() - base_);
        ondemand::object object;
        if (!token.starts_with('{')) {
            places_.container_scalar = Span{at, token.size()};
            places_.odd |= token.starts_with('[') || !begins_value(token);
            return true;
        }
        if (value.get_object().get(object) != simdjson::SUCCESS) {
            return false;
        }
        places_.in_container = at + 1;
        places_.container_empty = true;
        for (auto item : object) {
            ondemand::field field;
            if (std::move(item).get(field) != simdjson::SUCCESS) {
                return false;
            }
            places_.container_empty = false;
            if (is_max_output(operation_, family_, key_of(field), true)) {
                number(field.value(), places_.numbers);
            }
        }
        return true;
    }

    bool additional(ondemand::value& value, bool in_container = false) {
        ondemand::object object;
        if (!token_of(value).starts_with('{')) {
            return true;
        }
        if (value.get_object().get(object) != simdjson::SUCCESS) {
            return false;
        }
        for (auto item : object) {
            ondemand::field field;
            if (std::move(item).get(field) != simdjson::SUCCESS) {
                return false;
            }
            const std::string_view name = key_of(field);
            const std::string_view token = field.value().raw_json_token();
            const bool nested = token.starts_with('{') || token.starts_with('[');
            if (is_any_max_output(name) && !nested) {
                number(field.value(), places_.additional);
            } else if (!in_container && is_any_container(name) &&
                       !additional(field.value(), true)) {
                return false;
            }
        }
        return true;
    }

    void number(ondemand::value& value, std::vector<Span>& into) {
        const std::string_view token = token_of(value);
        if (token.starts_with('{') || token.starts_with('[') || !begins_value(token)) {
            places_.odd = true;
            return;
        }
        into.push_back({static_cast<std::size_t>(token.data() - base_), token.size()});
    }

    Operation operation_;
    Family family_;
    const char* base_;
    Places places_;
};

std::optional<Places> locate(std::string_view body, Operation operation, Family family) {
    std::string copy(body);
    ondemand::parser parser;
    ondemand::document document;
    ondemand::object object;
    if (parser.iterate(padded(copy)).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS) {
        return std::nullopt;
    }
    Locator locator(operation, family, copy.data());
    if (!locator.root(object)) {
        return std::nullopt;
    }
    locator.places().in_root = body.find('{') + 1;
    return std::move(locator.places());
}

std::string insert(std::string_view body, std::size_t at, std::string text, bool alone) {
    if (!alone) {
        text.push_back(',');
    }
    std::string out(body);
    out.insert(at, text);
    return out;
}

/// All numbers that are there, in the places that they have.
std::string replaced(std::string_view body, const Places& places, const std::string& number) {
    std::vector<Span> all = places.numbers;
    all.insert(all.end(), places.additional.begin(), places.additional.end());
    std::ranges::sort(all, std::greater(), &Span::at);  // from behind, so that the others stay
    std::string out(body);
    for (const Span& span : all) {
        out.replace(span.at, span.size, number);
    }
    return out;
}

/// For a body that has no number of its own.
std::string with_member(std::string_view body, const Places& places, Operation operation,
                        Family family, const std::string& number) {
    const std::string_view name = new_name(operation, family);
    if (name.empty()) {
        return std::string(body);
    }
    const std::string member = "\"" + std::string(name) + "\":" + number;
    const std::string_view container = max_output_container(operation, family);
    if (container.empty()) {
        return insert(body, *places.in_root, member, places.root_empty);
    }
    if (places.in_container) {
        return insert(body, *places.in_container, member, places.container_empty);
    }
    if (places.container_scalar) {
        std::string out(body);
        out.replace(places.container_scalar->at, places.container_scalar->size, "{" + member + "}");
        return out;
    }
    return insert(body, *places.in_root, "\"" + std::string(container) + "\":{" + member + "}",
                  places.root_empty);
}

}  // namespace

std::string_view max_output_container(Operation operation, Family family) {
    if (names_model_in_body(operation)) {
        return {};
    }
    if (is_converse(operation) || family == Family::nova) {
        return "inferenceConfig";
    }
    return family == Family::titan ? "textGenerationConfig" : std::string_view();
}

bool is_max_output(Operation operation, Family family, std::string_view name, bool in_container) {
    if (name.size() < 9 || name[0] != 'm') {
        return false;
    }
    if (is_converse(operation)) {
        return in_container && name == "maxTokens";
    }
    if (operation == Operation::responses) {
        return name == "max_output_tokens";
    }
    if (operation == Operation::messages) {
        return name == "max_tokens";
    }
    if (operation == Operation::chat_completions) {
        return name == "max_tokens" || name == "max_completion_tokens";
    }
    switch (family) {
        case Family::nova:
            return in_container && (name == "maxTokens" || name == "max_new_tokens");
        case Family::titan:
            return in_container && name == "maxTokenCount";
        case Family::llama:
            return name == "max_gen_len";
        case Family::openai:
            return name == "max_tokens" || name == "max_completion_tokens";
        case Family::anthropic:
        case Family::mistral:
        case Family::cohere:
            return name == "max_tokens";
        case Family::unknown:
            return name == "max_tokens" || name == "max_completion_tokens" ||
                   name == "max_gen_len" || name == "max_new_tokens";
    }
    return false;
}

bool is_any_max_output(std::string_view name) {
    static constexpr std::array<std::string_view, 6> kNames = {
        "max_tokens",  "maxTokens",      "maxTokenCount",
        "max_gen_len", "max_new_tokens", "max_completion_tokens"};
    return name.size() >= 9 && name[0] == 'm' && std::ranges::find(kNames, name) != kNames.end();
}

bool is_any_container(std::string_view name) {
    return name == "inferenceConfig" || name == "textGenerationConfig";
}

std::optional<std::uint64_t> usable_max_output(std::string_view token) {
    const char* const end = token.data() + token.size();
    std::uint64_t value = 0;
    const auto whole = std::from_chars(token.data(), end, value);
    if (whole.ec == std::errc() && whole.ptr == end) {
        return value <= kLargest ? std::optional(value) : std::nullopt;
    }
    double number = 0;
    const auto any = std::from_chars(token.data(), end, number);
    if (any.ec != std::errc() || any.ptr != end ||
        !(number >= 0 && number <= static_cast<double>(kLargest))) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::ceil(number));
}

std::string with_max_output(std::string_view body, const RequestFacts& facts, Operation operation,
                            Family family, std::uint64_t max_output) {
    const std::string number = std::to_string(max_output);
    if (facts.max_output_members == 1 && facts.max_output_size > 0 &&
        facts.max_output_at + facts.max_output_size <= body.size()) {
        std::string out(body);
        out.replace(facts.max_output_at, facts.max_output_size, number);
        return out;
    }
    auto places = locate(body, operation, family);
    if (!places || places->odd) {
        return std::string(body);  // the service will say what is wrong with it
    }
    std::string out = replaced(body, *places, number);
    if (!places->numbers.empty()) {
        return out;
    }
    if (!places->additional.empty()) {
        places = locate(out, operation, family);
    }
    return places ? with_member(out, *places, operation, family, number) : out;
}

}  // namespace weir::bedrock
