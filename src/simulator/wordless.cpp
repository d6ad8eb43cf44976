#include "simulator/wordless.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace weir::simulator {
namespace {

using Json = nlohmann::json;

enum class Kind : std::uint8_t { titan, cohere, nova, marengo, rerank, image, stability };

constexpr std::uint64_t kTokensOfAnImage = 1'000;

std::optional<Kind> kind_of(std::string_view model) {
    static constexpr std::array kKinds{
        std::pair{std::string_view("titan-embed"), Kind::titan},
        std::pair{std::string_view("cohere.embed"), Kind::cohere},
        std::pair{std::string_view("multimodal-embeddings"), Kind::nova},
        std::pair{std::string_view("marengo"), Kind::marengo},
        std::pair{std::string_view("rerank"), Kind::rerank},
        std::pair{std::string_view("nova-canvas"), Kind::image},
        std::pair{std::string_view("titan-image"), Kind::image},
        std::pair{std::string_view("stability."), Kind::stability},
    };
    for (const auto& [part, kind] : kKinds) {
        if (model.find(part) != std::string_view::npos) {
            return kind;
        }
    }
    return std::nullopt;
}

/// One of these members has to be there.
std::string_view required(Kind kind) {
    switch (kind) {
        case Kind::titan:
            return "inputText|inputImage";
        case Kind::cohere:
            return "texts|images|inputs";
        case Kind::nova:
            return "singleEmbeddingParams";
        case Kind::marengo:
            return "inputType";
        case Kind::rerank:
            return "documents";
        case Kind::image:
            return "taskType";
        case Kind::stability:
            return "prompt|text_prompts|image";
    }
    return {};
}

bool has_one_of(const Json& body, std::string_view names) {
    while (!names.empty()) {
        const auto bar = std::min(names.find('|'), names.size());
        if (body.contains(names.substr(0, bar))) {
            return true;
        }
        names.remove_prefix(std::min(bar + 1, names.size()));
    }
    return false;
}

bool is_setting(std::string_view key) {
    static constexpr std::array<std::string_view, 12> kSettings{
        "taskType", "input_type",     "inputType",        "embedding_types",
        "truncate", "truncationMode", "embeddingPurpose", "format",
        "type",     "mode",           "quality",          "output_format"};
    return std::ranges::find(kSettings, key) != kSettings.end();
}

/// What is longer than any word, without a blank, is no text.
bool is_blob(const std::string& text) {
    return text.starts_with("data:") || (text.size() > 256 && text.find(' ') == std::string::npos);
}

struct Count {
    std::uint64_t characters = 0;
    std::uint64_t images = 0;
    Ask ask;

    void walk(const Json& node) {
        if (node.is_string()) {
            const auto& text = node.get_ref<const std::string&>();
            if (is_blob(text)) {
                ++images;
                return;
            }
            characters += text.size();
            read_directives(text, ask.directives);
        } else if (node.is_array()) {
            for (const Json& element : node) {
                walk(element);
            }
        } else if (node.is_object()) {
            for (const auto& [key, value] : node.items()) {
                if (!is_setting(key)) {
                    walk(value);
                }
            }
        }
    }
};

Json vector_of(const Generation& generation) {
    Json vector = Json::array();
    for (int i = 0; i < 8; ++i) {
        vector.push_back(
            static_cast<double>((generation.use.input + static_cast<unsigned>(i) * 7) % 13) / 13.0);
    }
    return vector;
}

/// The smallest PNG there is, of one pixel.
constexpr std::string_view kPixel =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+"
    "M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

}  // namespace

bool is_wordless(std::string_view model) {
    return kind_of(model).has_value();
}

Result<Ask> read_wordless(std::string_view body, std::string_view model) {
    const Json document = Json::parse(body, nullptr, false);
    const Kind kind = *kind_of(model);
    if (!document.is_object()) {
        return failure("Malformed input request, please reformat your input and try again.");
    }
    if (!has_one_of(document, required(kind))) {
        return failure("Malformed input request: #: required key [" +
                       std::string(required(kind).substr(0, required(kind).find('|'))) +
                       "] not found, please reformat your input and try again.");
    }
    Count count;
    count.walk(document);
    count.ask.input = (count.characters + 3) / 4;
    if (kind != Kind::titan) {  // which counts text alone
        count.ask.input += count.images * kTokensOfAnImage;
    }
    if (count.ask.directives.input) {
        count.ask.input = *count.ask.directives.input;
    }
    return count.ask;
}

std::string wordless_answer(const Generation& generation) {
    switch (*kind_of(generation.model)) {
        case Kind::titan:
            return Json{{"embedding", vector_of(generation)},
                        {"inputTextTokenCount", generation.use.input}}
                .dump();
        case Kind::cohere:
            return Json{{"id", generation.request_id},
                        {"response_type", "embeddings_floats"},
                        {"embeddings", Json::array({vector_of(generation)})}}
                .dump();
        case Kind::nova:
            return Json{{"embeddings", Json::array({{{"embeddingType", "TEXT"},
                                                     {"embedding", vector_of(generation)}}})}}
                .dump();
        case Kind::marengo:
            return Json{{"data", Json::array({{{"embedding", vector_of(generation)}}})}}.dump();
        case Kind::rerank:
            return Json{{"results", Json::array({{{"index", 0}, {"relevance_score", 0.9}}})}}
                .dump();
        case Kind::image:
            return Json{{"images", Json::array({kPixel})}}.dump();
        case Kind::stability:
            return Json{{"seeds", Json::array({1})},
                        {"finish_reasons", Json::array({nullptr})},
                        {"images", Json::array({kPixel})}}
                .dump();
    }
    return "{}";
}

std::string wordless_fields(const Generation& generation) {
    const Kind kind = *kind_of(generation.model);
    std::string fields;
    if (kind == Kind::titan || kind == Kind::cohere || kind == Kind::nova ||
        kind == Kind::marengo) {
        fields =
            "X-Amzn-Bedrock-Input-Token-Count: " + std::to_string(generation.use.input) + "\r\n";
    }
    return fields +
           "X-Amzn-Bedrock-Invocation-Latency: " + std::to_string(to_ms(generation.duration())) +
           "\r\n";
}

}  // namespace weir::simulator
