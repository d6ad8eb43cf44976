#include "bedrock/request.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace weir::bedrock {
namespace {

namespace od = simdjson::ondemand;

constexpr double kPerCall = 12;  // what a model's own frame round a conversation costs
constexpr double kPerImage =
    1'600;  // the most an image is charged: width x height / 750, scaled down above
constexpr double kPerBinaryByte =
    0.2;  // base64 of a document: its text is about a fifth of a token a byte
constexpr std::size_t kBinary =
    256;  // a `bytes` or `data` string longer than this is no prompt text
constexpr std::uint64_t kMaxTokens = 1'000'000'000;
constexpr std::size_t kKeptParser = 4UL << 20;  // a parser that grew past this is not kept

/// Adds up what stands in raw JSON: text by class, images and documents by their own rules.
double raw_tokens(std::string_view raw) {
    double tokens = 0;
    std::size_t from = 0;
    constexpr std::array<std::string_view, 2> kKeys{"\"bytes\"", "\"data\""};
    while (from < raw.size()) {
        std::size_t at = std::string_view::npos;
        std::size_t key_size = 0;
        for (const auto key : kKeys) {
            if (const auto found = raw.find(key, from); found < at) {
                at = found;
                key_size = key.size();
            }
        }
        if (at == std::string_view::npos) {
            break;
        }
        const auto open = raw.find_first_not_of(" \t\r\n:", at + key_size);
        if (open == std::string_view::npos || raw[open] != '"') {
            tokens += estimate_tokens(raw.substr(from, at + key_size - from));
            from = at + key_size;
            continue;
        }
        const auto close = std::min(raw.find('"', open + 1), raw.size());
        if (close - open < kBinary) {
            tokens += estimate_tokens(raw.substr(from, close - from));
        } else {
            tokens += estimate_tokens(raw.substr(from, open - from));
            // Both an image's and a document's bytes stand a few keys behind the word for what they
            // are.
            const auto before = raw.substr(from, at - from);
            const auto image = before.rfind("\"image");
            const auto document = before.rfind("\"document");
            const bool is_document = document != std::string_view::npos &&
                                     (image == std::string_view::npos || document > image);
            tokens += is_document ? static_cast<double>(close - open) * kPerBinaryByte : kPerImage;
        }
        from = close;
    }
    if (from < raw.size()) {
        tokens += estimate_tokens(raw.substr(from));
    }
    return tokens;
}

/// A member that only one Region understands.
bool binds_to_region(std::string_view raw) {
    return raw.find("\"s3Location\"") != std::string_view::npos ||
           raw.find("\"arn:aws") != std::string_view::npos;
}

/// Members that hold the answer's maximum: at the top, or one level down in a member of that name.
bool is_maximum(std::string_view key) {
    return key == "max_tokens" || key == "maxTokens" || key == "max_new_tokens" ||
           key == "maxTokenCount" || key == "max_gen_len" || key == "max_completion_tokens" ||
           key == "max_tokens_to_sample";
}
bool holds_maximum(std::string_view key) {
    return key == "inferenceConfig" || key == "textGenerationConfig";
}

class Maximum {
public:
    explicit Maximum(std::string_view body) : body_(body) {}

    void see(std::string_view token, RequestFacts& facts) const {
        while (!token.empty() && (token.back() == ' ' || token.back() == '\n' ||
                                  token.back() == '\r' || token.back() == '\t')) {
            token.remove_suffix(1);
        }
        std::uint64_t value = 0;
        const auto [end, ec] = std::from_chars(token.data(), token.data() + token.size(), value);
        if (ec != std::errc() || end != token.data() + token.size()) {
            return;  // negative, a fraction, a string: the service will say so
        }
        value = std::min(value, kMaxTokens);
        if (!facts.max_output || value >= *facts.max_output) {
            facts.max_output = value;
            facts.max_output_at = static_cast<std::size_t>(token.data() - body_.data());
            facts.max_output_size = token.size();
        }
    }

private:
    std::string_view body_;
};

simdjson::error_code look(od::object object, const Maximum& maximum, RequestFacts& facts,
                          double& tokens, bool top) {
    for (auto each : object) {
        od::field field;
        if (const auto e = std::move(each).get(field)) {
            return e;
        }
        std::string_view key;
        if (const auto e = field.unescaped_key().get(key)) {
            return e;
        }
        if (is_maximum(key)) {
            maximum.see(field.value().raw_json_token(), facts);
            continue;
        }
        od::json_type type{};
        if (const auto e = field.value().type().get(type)) {
            return e;
        }
        if (top && type == od::json_type::object && holds_maximum(key)) {
            od::object inner;
            if (const auto e = field.value().get_object().get(inner)) {
                return e;
            }
            double ignored = 0;
            if (const auto e = look(inner, maximum, facts, ignored, false)) {
                return e;
            }
            continue;
        }
        if (type != od::json_type::object && type != od::json_type::array) {
            if (type == od::json_type::string) {
                tokens += estimate_tokens(field.value().raw_json_token());
            }
            continue;
        }
        if (key == "guardrailConfig") {
            facts.region_bound = true;
            continue;
        }
        std::string_view raw;
        if (type == od::json_type::object) {
            od::object inner;
            if (const auto e = field.value().get_object().get(inner)) {
                return e;
            }
            if (const auto e = inner.raw_json().get(raw)) {
                return e;
            }
        } else {
            od::array inner;
            if (const auto e = field.value().get_array().get(inner)) {
                return e;
            }
            if (const auto e = inner.raw_json().get(raw)) {
                return e;
            }
        }
        tokens += raw_tokens(raw);
        facts.region_bound |= binds_to_region(raw);
    }
    return simdjson::SUCCESS;
}

}  // namespace

struct RequestReader::Impl {
    od::parser parser;
};

RequestReader::RequestReader() : impl_(std::make_unique<Impl>()) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

Result<RequestFacts> RequestReader::read(Operation /*operation*/, std::string_view /*model*/,
                                         Family /*family*/, std::string& body) {
    if (body.capacity() < body.size() + simdjson::SIMDJSON_PADDING) {
        body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
    }
    if (impl_->parser.capacity() > kKeptParser) {
        impl_ = std::make_unique<Impl>();
    }
    RequestFacts facts;
    double tokens = kPerCall;
    od::document document;
    const simdjson::padded_string_view padded(body.data(), body.size(), body.capacity());
    auto error = impl_->parser.iterate(padded).get(document);
    od::object object;
    if (!error) {
        error = document.get_object().get(object);
    }
    if (!error) {
        error = look(object, Maximum(body), facts, tokens, true);
    }
    const char* rest = nullptr;
    if (!error && !document.current_location().get(rest)) {
        error = simdjson::TAPE_ERROR;  // something stands behind the object
    }
    if (error) {
        return failure(std::string("the body must be one JSON object: ") +
                       simdjson::error_message(error));
    }
    facts.input_estimate = static_cast<std::uint64_t>(std::llround(tokens));
    return facts;
}

std::string with_max_output(std::string_view body, const RequestFacts& facts, Operation operation,
                            Family family, std::uint64_t max_output) {
    const auto number = std::to_string(max_output);
    std::string out;
    out.reserve(body.size() + 64);
    if (facts.max_output_size > 0) {
        out.append(body.substr(0, facts.max_output_at));
        out.append(number);
        out.append(body.substr(facts.max_output_at + facts.max_output_size));
        return out;
    }
    // None given: the member goes first, which no other member can be hurt by.
    const bool converse =
        operation == Operation::converse || operation == Operation::converse_stream;
    std::string nest;  // the object that holds it, if any
    std::string member = "max_tokens";
    if (converse || family == Family::nova) {
        nest = "inferenceConfig";
        member = "maxTokens";
    } else if (family == Family::titan) {
        nest = "textGenerationConfig";
        member = "maxTokenCount";
    } else if (family == Family::llama) {
        member = "max_gen_len";
    }
    const auto insert_after = [&](std::size_t brace, const std::string& text) {
        const auto next = body.find_first_not_of(" \t\r\n", brace + 1);
        const bool empty = next == std::string_view::npos || body[next] == '}';
        out.append(body.substr(0, brace + 1));
        out.append(text);
        out.append(empty ? "" : ",");
        out.append(body.substr(brace + 1));
    };
    const auto own = "\"" + member + "\":" + number;
    if (nest.empty()) {
        insert_after(body.find('{'), own);
        return out;
    }
    // An object of that name that is there already takes the member in.
    od::parser parser;
    const simdjson::padded_string copy(body);
    od::document document;
    od::object inner;
    std::string_view raw;
    if (!parser.iterate(copy).get(document) &&
        !document.find_field_unordered(nest).get_object().get(inner) &&
        !inner.raw_json().get(raw)) {
        insert_after(static_cast<std::size_t>(raw.data() - copy.data()), own);
    } else {
        insert_after(body.find('{'), "\"" + nest + "\":{" + own + "}");
    }
    return out;
}

}  // namespace weir::bedrock
