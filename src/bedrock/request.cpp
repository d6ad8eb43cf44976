#include "bedrock/request.h"

#include "bedrock/body_head.h"
#include "bedrock/conversation.h"
#include "bedrock/json.h"
#include "bedrock/json_walk.h"
#include "bedrock/max_output.h"
#include "bedrock/media.h"
#include "bedrock/output_maximum.h"
#include "bedrock/rule_tokens.h"
#include "bedrock/service_tier.h"
#include "bedrock/text_counter.h"

#include <cmath>
#include <vector>

namespace weir::bedrock {

namespace {

constexpr std::size_t kShortestImage = 40;  // bytes: shorter strings are formats and names
constexpr int kMaxDepth = 64;               // below that, JSON counts as it is written

bool names_an_arn(std::string_view text) {
    return text.starts_with("arn:aws") && text.size() < 2'048 &&
           text.find(' ') == std::string_view::npos;
}

/// One walk over one body. Nothing is unescaped or copied; what is not needed is skipped by its
/// structure.
class Walk : JsonWalk {
public:
    Walk(Operation operation, Family family, std::string_view body, std::uint64_t seed)
        : operation_(operation),
          family_(family),
          container_(max_output_container(operation, family)),
          body_(body),
          maximum_(body),
          conversation_(seed) {}

    simdjson::error_code root(ondemand::object object) {
        by_rule(InputClass::frame, kRequestTokens);
        each_field(object, [this](std::string_view key, ondemand::value& value) {
            top(key, value);
            conversation_.end_member();
        });
        return failed_;
    }

    /// The name of a decisive member that stands twice; empty: none does.
    std::string_view repeated() const { return maximum_.repeated(); }

    RequestFacts facts(std::vector<InputMark>& conversation) const {
        RequestFacts facts = facts_;
        maximum_.put_into(facts);
        facts.input_counts = outside_.counts();
        add(facts.input_counts, messages_.counts());
        const double estimate = prior_tokens(facts.input_counts);
        facts.input_estimate = static_cast<std::uint64_t>(std::ceil(estimate));
        conversation_.finish(outside_.counts(), conversation);
        return facts;
    }

private:
    void top(std::string_view key, ondemand::value& value) {
        if (is_max_output(operation_, family_, key, false)) {
            maximum_.take(key, scalar(value));
        } else if ((key == "messages" || (key == "input" && operation_ == Operation::responses)) &&
                   kind(value) == '[') {
            counter_ = &messages_;
            each_element(value, [this](ondemand::value& message) {
                by_rule(InputClass::frame, kMessageTokens);
                walk(message, 1);
                conversation_.end_message(messages_.counts());
            });
            counter_ = &outside_;
        } else if (!container_.empty() && key == container_) {
            maximum_.once(key);
            container(value);
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
        } else if (key == kAdditionalFields && kind(value) == '{') {
            maximum_.once(key);
            additional(value);
        } else if (key == "guardrailConfig") {
            guardrail(value);
        } else if (key == tier_member(operation_)) {
            facts_.tier = std::exchange(named_tier_, true) ? std::nullopt : tier_in(value);
        } else if (key == "amazon-bedrock-guardrailConfig") {
            facts_.guarded = true;  // how it works; its name stands in a header
        } else if (key != "requestMetadata" && key != "metadata" && key != "performanceConfig" &&
                   key != "serviceTier" && key != "anthropic_version" && key != "anthropic_beta" &&
                   !(names_model_in_body(operation_) && is_body_setting(key))) {
            member(key, value, 1);
        }
    }

    void additional(ondemand::value& value, bool in_container = false) {
        each_field(value, [this, in_container](std::string_view name, ondemand::value& inner) {
            if (is_any_max_output(name)) {
                maximum_.take_additional(scalar(inner));
            } else if (!in_container && is_any_container(name) && kind(inner) == '{') {
                additional(inner, true);
            } else if (name == "thinking" || name == "reasoning_config" ||
                       name == "reasoning_effort" || name == "reasoningConfig") {
                thinking(inner);
            } else {
                raw(inner);
            }
        });
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

    void container(ondemand::value& value) {
        if (kind(value) != '{') {
            walk(value, 1);
            return;
        }
        each_field(value, [this](std::string_view name, ondemand::value& inner) {
            if (is_max_output(operation_, family_, name, true)) {
                maximum_.take(name, scalar(inner));
            }
        });
    }

    /// A scalar as written; of what is no value at all, nothing.
    std::string_view scalar(ondemand::value& value) {
        const std::string_view token = token_of(value);
        if (!begins_value(token)) {
            failed_ = simdjson::TAPE_ERROR;
        }
        return token;
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

    void walk(ondemand::value& value, int depth, bool named = false,
              Media otherwise = Media::image) {
        switch (kind(value)) {
            case '"':
                text(raw_text(value), named, otherwise);
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
                    each_element(value, [&](ondemand::value& inner) {
                        walk(inner, depth + 1, named, otherwise);
                    });
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

    /// `named`: under a name that holds text. What a family that is not known calls so, or what has
    /// another name, may be base64.
    void text(std::string_view inside, bool named, Media otherwise) {
        const bool plain =
            named && (family_ != Family::unknown || !speaks_for_a_family(operation_));
        const auto found = plain ? std::nullopt : media_in(inside, otherwise);
        if (found) {
            charge(found->media, found->bytes, inside);
        } else {
            counter_->add_json(inside);
        }
        conversation_.text(inside);
    }

    void by_rule(InputClass cls, double tokens) { counter_->add_tokens(cls, tokens); }

    /// `front`: the string that it begins in.
    void charge(Media media, std::size_t bytes, std::string_view front) {
        by_rule(InputClass::media, media == Media::image ? image_tokens(family_, image_size(front))
                                                         : media_tokens(media, bytes));
    }

    void member(std::string_view key, ondemand::value& value, int depth) {
        if (key == "type") {
            return;
        }
        if (is_text_name(key)) {
            walk(value, depth, true);
        } else if (const auto named = media_named(key)) {
            media(*named, value, depth);
        } else if (key == "document" && kind(value) == '{') {
            document(value, depth);
        } else if (key == "source" && kind(value) == '{') {
            source(value, {}, depth);
        } else if (key == "input" || key == "json" || key == "input_schema") {
            kind(value) == '{' ? raw(value) : walk(value, depth);
        } else if (key == "s3Location" || key == "s3Uri") {
            facts_.region_bound = true;
        } else if (!key.ends_with("ignature") && key != "cachePoint" && key != "cache_control") {
            const bool bound = kind(value) == '"' && names_an_arn(raw_text(value));
            facts_.region_bound |= bound;
            // Anthropic's redacted_thinking has its bytes in `data`.
            walk(value, depth, false, key == "data" ? Media::sealed : Media::image);
        }
    }

    /// A member that holds one part of this kind, or a list of them.
    void media(Media media, ondemand::value& value, int depth) {
        const char first = kind(value);
        if (first == '[' && depth < kMaxDepth) {
            each_element(value,
                         [&](ondemand::value& inner) { this->media(media, inner, depth + 1); });
        } else if (first == '"' || first == '{' || first == '[') {
            front_ = {};
            const std::size_t bytes = payload(value, depth);
            charge(media, bytes, front_);
        } else if (!begins_value(token_of(value))) {
            failed_ = simdjson::TAPE_ERROR;
        }
    }

    /// Bytes of the media inside, undecoded strings together; notes what lies in S3.
    std::size_t payload(ondemand::value& value, int depth) {
        std::size_t bytes = 0;
        const char first = kind(value);
        if (first == '"') {
            const std::string_view inside = raw_text(value);
            facts_.region_bound |= inside.starts_with("s3://") || names_an_arn(inside);
            bytes = decoded_size(inside);
            if (front_.empty() && bytes > kShortestImage) {
                front_ = inside;
            }
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
        front_ = {};
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
            charge(Media::image, bytes, front_);
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
    bool named_tier_ = false;  // which of two counts is not known
    OutputMaximum maximum_;
    std::string_view front_;  // of the part that payload() has read last
    TextCounter outside_;
    TextCounter messages_;
    TextCounter* counter_ = &outside_;
    Conversation conversation_;
};

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
    if (const std::string_view name = walk.repeated(); !name.empty()) {
        return weir::failure("The request body has `" + std::string(name) + "` more than once.");
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
    if (body.size() > kKeptParserBytes) {
        ondemand::parser once;
        return read_with(once, operation, family, body, impl_->seed, impl_->conversation);
    }
    return read_with(impl_->parser, operation, family, body, impl_->seed, impl_->conversation);
}

std::span<const InputMark> RequestReader::conversation() const {
    return impl_->conversation;
}

}  // namespace weir::bedrock
