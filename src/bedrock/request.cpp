#include "bedrock/request.h"

#include "bedrock/body_head.h"
#include "bedrock/conversation.h"
#include "bedrock/json.h"
#include "bedrock/max_output.h"
#include "bedrock/rule_tokens.h"
#include "bedrock/text_counter.h"

#include <cmath>
#include <vector>

namespace weir::bedrock {

namespace {

constexpr int kMaxDepth = 64;                   // below that, JSON counts as it is written
constexpr std::size_t kKeepParser = 1UL << 20;  // larger bodies get a parser for themselves

bool names_an_arn(std::string_view text) {
    return text.starts_with("arn:aws") && text.size() < 2'048 &&
           text.find(' ') == std::string_view::npos;
}

/// One walk over one body. Nothing is unescaped or copied; what is not needed is skipped by its
/// structure. `failed_` is set at the first break in the JSON and ends the walk.
class Walk {
public:
    Walk(Operation operation, Family family, std::string_view body, std::uint64_t seed)
        : operation_(operation),
          family_(family),
          container_(max_output_container(operation, family)),
          body_(body),
          conversation_(seed) {}

    simdjson::error_code root(ondemand::object object) {
        by_rule(InputClass::frame, kRequestTokens);
        each_field(object, [this](std::string_view key, ondemand::value& value) {
            top(key, value);
            conversation_.end_member();
        });
        return failed_;
    }

    RequestFacts facts(std::vector<InputMark>& conversation) const {
        RequestFacts facts = facts_;
        facts.input_counts = outside_.counts();
        add(facts.input_counts, messages_.counts());
        const double estimate = prior_tokens(facts.input_counts);
        facts.input_estimate = static_cast<std::uint64_t>(std::ceil(estimate));
        conversation_.finish(outside_.counts(), conversation);
        return facts;
    }

private:
    template <class Handle>
    void each_field(ondemand::object& object, Handle handle) {
        for (auto item : object) {
            ondemand::field field;
            if (const auto error = std::move(item).get(field); error != simdjson::SUCCESS) {
                failed_ = error;
                return;
            }
            const std::string_view key = key_of(field);
            handle(key, field.value());
            if (failed_ != simdjson::SUCCESS) {
                return;
            }
        }
    }

    template <class Handle>
    void each_field(ondemand::value& value, Handle handle) {
        ondemand::object object;
        failed_ = value.get_object().get(object);
        if (failed_ == simdjson::SUCCESS) {
            each_field(object, handle);
        }
    }

    template <class Handle>
    void each_element(ondemand::value& value, Handle handle) {
        ondemand::array array;
        failed_ = value.get_array().get(array);
        if (failed_ != simdjson::SUCCESS) {
            return;
        }
        for (auto item : array) {
            ondemand::value element;
            if (const auto error = std::move(item).get(element); error != simdjson::SUCCESS) {
                failed_ = error;
                return;
            }
            handle(element);
            if (failed_ != simdjson::SUCCESS) {
                return;
            }
        }
    }

    static char kind(ondemand::value& value) {
        const std::string_view token = value.raw_json_token();
        return token.empty() ? '\0' : token.front();
    }

    void top(std::string_view key, ondemand::value& value) {
        if (is_max_output(operation_, family_, key, false)) {
            max_output(value);
        } else if ((key == "messages" || (key == "input" && operation_ == Operation::responses)) &&
                   kind(value) == '[') {
            counter_ = &messages_;
            each_element(value, [this](ondemand::value& message) {
                by_rule(InputClass::frame, kMessageTokens);
                walk(message, 1);
                conversation_.end_message(messages_.counts());
            });
            counter_ = &outside_;
        } else if (!container_.empty() && key == container_ && kind(value) == '{') {
            each_field(value, [this](std::string_view name, ondemand::value& inner) {
                if (is_max_output(operation_, family_, name, true)) {
                    max_output(inner);
                }
            });
        } else if (key == "toolConfig" || key == "tools") {
            by_rule(InputClass::frame, kToolsTokens);
            answers(OutputKind::structured);
            raw(value);
        } else if (key == "outputConfig" || key == "output_config" || key == "response_format" ||
                   (key == "text" && operation_ == Operation::responses)) {
            answers(OutputKind::structured);
            raw(value);
        } else if (key == "thinking" || key == "reasoning" || key == "reasoning_effort") {
            thinking(value);
        } else if (key == "additionalModelRequestFields" && kind(value) == '{') {
            each_field(value, [this](std::string_view name, ondemand::value& inner) {
                if (name == "thinking" || name == "reasoning_config" ||
                    name == "reasoning_effort" || name == "reasoningConfig") {
                    thinking(inner);
                } else {
                    raw(inner);
                }
            });
        } else if (key == "guardrailConfig") {
            guardrail(value);
        } else if (key == "amazon-bedrock-guardrailConfig") {
            facts_.guarded = true;  // how it works; its name stands in a header
        } else if (key != "requestMetadata" && key != "metadata" && key != "performanceConfig" &&
                   key != "serviceTier" && key != "anthropic_version" && key != "anthropic_beta" &&
                   !(names_model_in_body(operation_) && is_body_setting(key))) {
            member(key, value, 1);
        }
    }

    void guardrail(ondemand::value& value) {
        std::string_view name;
        int names = facts_.guarded ? 1 : 0;  // one of two, and which of them holds is not known
        facts_.guarded = true;
        if (kind(value) == '{') {
            each_field(value, [&](std::string_view key, ondemand::value& inner) {
                if (key == "guardrailIdentifier") {
                    ++names;
                    name = raw_text(inner);
                }
            });
        }
        if (names != 1 || name.empty() || name.find('\\') != std::string_view::npos) {
            facts_.region_bound = true;
            return;
        }
        facts_.guardrail_at = static_cast<std::size_t>(name.data() - body_.data());
        facts_.guardrail_size = name.size();
    }

    void answers(OutputKind kind) { facts_.output_kind = std::max(facts_.output_kind, kind); }

    /// `{"type": "enabled", "budget_tokens": 4096}`, or how hard to think in a word.
    void thinking(ondemand::value& value) {
        if (kind(value) != '{') {
            answers(OutputKind::thinking);
            raw(value);
            return;
        }
        bool off = false;
        each_field(value, [&](std::string_view name, ondemand::value& inner) {
            const std::string_view token = token_of(inner);
            if (!begins_value(token)) {
                failed_ = simdjson::TAPE_ERROR;
            } else if (name == "budget_tokens") {
                facts_.thinking_budget = usable_max_output(token).value_or(0);
            } else if (name == "type") {
                off = token == "\"disabled\"";
            }
        });
        if (!off) {
            answers(OutputKind::thinking);
        }
    }

    void max_output(ondemand::value& value) {
        ++facts_.max_output_members;
        const std::string_view token = token_of(value);
        if (!begins_value(token)) {
            failed_ = simdjson::TAPE_ERROR;
            return;
        }
        const auto number = usable_max_output(token);
        if (number && (!facts_.max_output || *number > *facts_.max_output)) {
            facts_.max_output = number;
            facts_.max_output_at = static_cast<std::size_t>(token.data() - body_.data());
            facts_.max_output_size = token.size();
        }
    }

    /// Whatever it is, as it is written.
    void raw(ondemand::value& value) {
        std::string_view text;
        if (kind(value) == '{') {
            ondemand::object object;
            failed_ = value.get_object().get(object);
            if (failed_ == simdjson::SUCCESS) {
                failed_ = object.raw_json().get(text);
            }
        } else if (kind(value) == '[') {
            ondemand::array array;
            failed_ = value.get_array().get(array);
            if (failed_ == simdjson::SUCCESS) {
                failed_ = array.raw_json().get(text);
            }
        } else {
            text = token_of(value);
        }
        if (failed_ == simdjson::SUCCESS) {
            counter_->add_json(text);
            conversation_.text(text);
        }
    }

    void walk(ondemand::value& value, int depth) {
        switch (kind(value)) {
            case '"':
                text(raw_text(value));
                break;
            case '{':
                if (depth >= kMaxDepth) {
                    raw(value);
                } else {
                    each_field(value, [this, depth](std::string_view key, ondemand::value& inner) {
                        member(key, inner, depth + 1);
                    });
                }
                break;
            case '[':
                if (depth >= kMaxDepth) {
                    raw(value);
                } else {
                    each_element(value,
                                 [this, depth](ondemand::value& inner) { walk(inner, depth + 1); });
                }
                break;
            default:
                // Numbers, booleans: settings, not prompt.
                if (!begins_value(token_of(value))) {
                    failed_ = simdjson::TAPE_ERROR;
                }
                break;
        }
    }

    void text(std::string_view inside) {
        if (family_ == Family::unknown && looks_like_base64(inside)) {
            by_rule(InputClass::media, kImageTokens);
        } else {
            counter_->add_json(inside);
        }
        conversation_.text(inside);
    }

    void by_rule(InputClass cls, double tokens) { counter_->add_tokens(cls, tokens); }

    void member(std::string_view key, ondemand::value& value, int depth) {
        if (key == "text" || key == "content" || key == "role") {
            walk(value, depth);
        } else if (key == "image" || key == "image_url" || key == "inputImage") {
            by_rule(InputClass::media, kImageTokens);
            payload(value, depth);
        } else if (key == "video" || key == "audio" || key == "input_audio") {
            by_rule(InputClass::media, recording_tokens(payload(value, depth)));
        } else if (key == "file_data" && names_model_in_body(operation_)) {
            by_rule(InputClass::media, document_tokens(payload(value, depth)));
        } else if (key == "document" && kind(value) == '{') {
            document(value, depth);
        } else if (key == "source" && kind(value) == '{') {
            source(value, {}, depth);
        } else if (key == "input" || key == "json" || key == "input_schema") {
            kind(value) == '{' ? raw(value) : walk(value, depth);
        } else if (key == "s3Location" || key == "s3Uri") {
            facts_.region_bound = true;
        } else if (key != "signature" && key != "redactedContent" && key != "cachePoint" &&
                   key != "cache_control" && key != "type") {
            const bool bound = kind(value) == '"' && names_an_arn(raw_text(value));
            facts_.region_bound |= bound;
            walk(value, depth);
        }
    }

    /// Bytes of the media inside, undecoded strings together; notes what lies in S3.
    std::size_t payload(ondemand::value& value, int depth) {
        std::size_t bytes = 0;
        const char first = kind(value);
        if (first == '"') {
            const std::string_view inside = raw_text(value);
            facts_.region_bound |= inside.starts_with("s3://") || names_an_arn(inside);
            bytes = inside.size() / 4 * 3;
            conversation_.text(inside);
        } else if (first == '{' && depth < kMaxDepth) {
            each_field(value, [&](std::string_view key, ondemand::value& inner) {
                facts_.region_bound |= key == "s3Location" || key == "s3Uri";
                bytes += payload(inner, depth + 1);
            });
        } else if (first == '[' && depth < kMaxDepth) {
            each_element(value,
                         [&](ondemand::value& inner) { bytes += payload(inner, depth + 1); });
        }
        return bytes;
    }

    /// Converse: {"format": "pdf", "name": ..., "source": {...}}. Bytes of no known format count as
    /// text: in doubt rather too much.
    void document(ondemand::value& value, int depth) {
        if (depth >= kMaxDepth) {
            raw(value);
            return;
        }
        std::string_view format;
        each_field(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "format") {
                format = raw_text(inner);
            } else if (key == "source" && kind(inner) == '{') {
                source(inner, format.empty() ? std::string_view("txt") : format, depth + 1);
            } else {
                member(key, inner, depth + 1);
            }
        });
    }

    /// `format` empty: Anthropic's source, which names its media type and may be an image.
    void source(ondemand::value& value, std::string_view format, int depth) {
        if (depth >= kMaxDepth) {
            raw(value);
            return;
        }
        std::size_t bytes = 0;
        bool elsewhere = false;
        const bool image_unless_told = format.empty();
        each_field(value, [&](std::string_view key, ondemand::value& inner) {
            if (key == "media_type") {
                format = raw_text(inner);
            } else if (key == "bytes" || key == "data") {
                bytes += payload(inner, depth + 1);
            } else if (key == "url" || key == "file_id") {
                elsewhere = true;
            } else if (key == "s3Location") {
                facts_.region_bound = elsewhere = true;
            } else if (key != "type") {
                member(key, inner, depth + 1);
            }
        });
        const bool image = format.starts_with("image/") || (image_unless_told && format.empty());
        if (bytes == 0 && !elsewhere) {
            return;  // plain text or content blocks, counted above
        }
        if (image) {
            by_rule(InputClass::media, kImageTokens);
        } else if (is_text_format(format)) {
            by_rule(InputClass::media, text_document_tokens(bytes));
        } else {
            by_rule(InputClass::media, document_tokens(bytes));
        }
    }

    Operation operation_;
    Family family_;
    std::string_view container_;
    std::string_view body_;
    RequestFacts facts_;
    TextCounter outside_;
    TextCounter messages_;
    TextCounter* counter_ = &outside_;
    Conversation conversation_;
    simdjson::error_code failed_ = simdjson::SUCCESS;
};

std::unexpected<Error> not_json(simdjson::error_code error) {
    switch (error) {
        case simdjson::UTF8_ERROR:
            return weir::failure("The request body is not valid UTF-8.");
        case simdjson::EMPTY:
            return weir::failure("The request body is empty; a JSON object is expected.");
        case simdjson::INCORRECT_TYPE:
            return weir::failure("The request body must be a JSON object.");
        default:
            return weir::failure("The request body is not valid JSON.");
    }
}

Result<RequestFacts> read_with(ondemand::parser& parser, Operation operation, Family family,
                               std::string& body, std::uint64_t seed,
                               std::vector<InputMark>& conversation) {
    conversation.clear();
    ondemand::document document;
    ondemand::object object;
    if (const auto error = parser.iterate(padded(body)).get(document); error != simdjson::SUCCESS) {
        return not_json(error);
    }
    if (const auto error = document.get_object().get(object); error != simdjson::SUCCESS) {
        return not_json(error);
    }
    Walk walk(operation, family, body, seed);
    if (const auto error = walk.root(object); error != simdjson::SUCCESS) {
        return not_json(error);
    }
    if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) {
        return not_json(simdjson::TAPE_ERROR);
    }
    return walk.facts(conversation);
}

}  // namespace

struct RequestReader::Impl {
    std::uint64_t seed;
    ondemand::parser parser;
    std::vector<InputMark> conversation;
};

RequestReader::RequestReader(std::uint64_t seed) : impl_(std::make_unique<Impl>(seed)) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

Result<RequestFacts> RequestReader::read(Operation operation, std::string_view /*model*/,
                                         Family family, std::string& body) {
    if (body.size() > kKeepParser) {
        ondemand::parser once;
        return read_with(once, operation, family, body, impl_->seed, impl_->conversation);
    }
    return read_with(impl_->parser, operation, family, body, impl_->seed, impl_->conversation);
}

std::span<const InputMark> RequestReader::conversation() const {
    return impl_->conversation;
}

}  // namespace weir::bedrock
