// What is no text: found in every place that bodies have for it, and charged by rule.
#include "bedrock/media.h"
#include "bedrock/image_size.h"
#include "bedrock/model_data.h"
#include "bedrock/request.h"

#include <gtest/gtest.h>

namespace weir::bedrock {
namespace {

/// Base64 that begins so, of `size` characters.
std::string base64(std::string_view beginning, std::size_t size = 400'000) {
    std::string text(beginning);
    constexpr std::string_view kLetters = "QkZ4aGx0b2Nr+cmVh/ZG0lYnV0";
    while (text.size() < size) {
        text += kLetters;
    }
    text.resize(size / 4 * 4);
    return text;
}

const std::string kPng = base64("iVBORw0KGgoAAAANSUhEUgAA");
const std::string kMp4 = base64("AAAAGGZ0eXBtcDQyAAAAAG");
const std::string kPdf = base64("JVBERi0xLjQK");

std::uint64_t tokens(std::string body, Operation operation, Family family = Family::anthropic) {
    RequestReader reader;
    const auto facts = reader.read(operation, "m", family, body);
    EXPECT_TRUE(facts);
    return facts ? facts->input_estimate : 0;
}

TEST(Media, Base64IsFoundByItsBytes) {
    EXPECT_EQ(media_in(kPng, Media::sealed)->media, Media::image);
    EXPECT_EQ(media_in(base64("/9j/4AAQSkZJRg"), Media::sealed)->media, Media::image);
    EXPECT_EQ(media_in(base64("\\/9j\\/4AAQSkZJRg"), Media::sealed)->media, Media::image);
    EXPECT_EQ(media_in(base64("UklGRiQQAABXRUJQVlA4"), Media::sealed)->media, Media::image);
    EXPECT_EQ(media_in(base64("UklGRiQIAABXQVZFZm10"), Media::sealed)->media, Media::recording);
    EXPECT_EQ(media_in(kMp4, Media::sealed)->media, Media::recording);
    EXPECT_EQ(media_in(kPdf, Media::sealed)->media, Media::document);
    EXPECT_EQ(media_in(base64("gAAAAABo"), Media::sealed)->media, Media::sealed);
    EXPECT_EQ(media_in(base64("gAAAAABo"), Media::image)->media, Media::image);
    EXPECT_EQ(media_in(kPng, Media::image)->bytes, 300'000U);
    std::string lines = kPng.substr(0, 76);
    while (lines.size() < 4'000) {
        lines += "\\n" + kPng.substr(100, 76);  // as the inside of a JSON string has it
    }
    EXPECT_TRUE(media_in(lines, Media::image));
}

TEST(Media, DataUrlsSayWhatTheyAre) {
    EXPECT_EQ(media_in("data:image/png;base64,iVBORw0KGgo=", Media::sealed)->media, Media::image);
    EXPECT_EQ(media_in("data:application/pdf;base64,JVBERi0=", Media::image)->media,
              Media::document);
    EXPECT_EQ(media_in("data:text/csv;base64,YSxi", Media::image)->media, Media::text_file);
    EXPECT_EQ(media_in("data:audio\\/wav;base64,UklGRg==", Media::image)->media, Media::recording);
    EXPECT_FALSE(media_in("data:text/plain,hello", Media::image));
    EXPECT_FALSE(media_in("data: the last of it", Media::image));
}

TEST(Media, TextIsText) {
    std::string prose;
    while (prose.size() < 8'000) {
        prose += "It was the best of times, it was the worst of times. ";
    }
    EXPECT_FALSE(media_in(prose, Media::image));
    EXPECT_FALSE(media_in("iVBORw0KGgoAAAANSUhEUgAA", Media::image));  // too short to matter
    EXPECT_FALSE(media_in(kPng + " and then some words", Media::image));
    EXPECT_FALSE(media_in("", Media::image));
    // A prompt is read as text, whatever stands in it.
    const std::string pasted = R"({"messages":[{"content":[{"text":")" + kPng + R"("}]}]})";
    EXPECT_GT(tokens(pasted, Operation::converse), 20'000U);
}

struct Place {
    const char* what;
    Operation operation;
    Family family;
    std::string body;
};

TEST(Media, EveryPlaceIsChargedByRule) {
    using enum Operation;
    const std::string url = R"("data:image/png;base64,)" + kPng + "\"";
    const std::string png = "\"" + kPng + "\"";
    const std::string sealed = "\"" + base64("gAAAAABo", 800'000) + "\"";
    const std::vector<Place> places = {
        {"Converse image", converse, Family::nova,
         R"({"messages":[{"content":[{"image":{"format":"png","source":{"bytes":)" + png +
             "}}}]}]}"},
        {"Converse video", converse, Family::nova,
         R"({"messages":[{"content":[{"video":{"format":"mp4","source":{"bytes":")" + kMp4 +
             R"("}}}]}]})"},
        {"Converse audio", converse, Family::nova,
         R"({"messages":[{"content":[{"audio":{"format":"wav","source":{"bytes":)" + png +
             "}}}]}]}"},
        {"Converse document", converse, Family::anthropic,
         R"({"messages":[{"content":[{"document":{"format":"pdf","name":"a","source":{"bytes":")" +
             kPdf + R"("}}}]}]})"},
        {"Converse image from a tool", converse, Family::anthropic,
         R"({"messages":[{"content":[{"toolResult":{"toolUseId":"a","content":[{"image":{"source":{"bytes":)" +
             png + "}}}]}}]}]}"},
        {"Converse redacted reasoning", converse, Family::anthropic,
         R"({"messages":[{"content":[{"reasoningContent":{"redactedContent":)" + sealed + "}}]}]}"},
        {"Anthropic image", invoke, Family::anthropic,
         R"({"messages":[{"content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":)" +
             png + "}}]}]}"},
        {"Anthropic PDF", messages, Family::anthropic,
         R"({"messages":[{"content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":")" +
             kPdf + R"("}}]}]})"},
        {"Anthropic redacted thinking", messages, Family::anthropic,
         R"({"messages":[{"content":[{"type":"redacted_thinking","data":)" + sealed + "}]}]}"},
        {"Anthropic search result", messages, Family::anthropic,
         R"({"messages":[{"content":[{"type":"web_search_result","encrypted_content":)" + sealed +
             "}]}]}"},
        {"Chat image", chat_completions, Family::openai,
         R"({"messages":[{"content":[{"type":"image_url","image_url":{"url":)" + url + "}}]}]}"},
        {"Chat audio", chat_completions, Family::openai,
         R"({"messages":[{"content":[{"type":"input_audio","input_audio":{"format":"wav","data":)" +
             png + "}}]}]}"},
        {"Chat file", chat_completions, Family::openai,
         R"({"messages":[{"content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,)" +
             kPdf + R"("}}]}]})"},
        {"Chat body by invoke", invoke, Family::openai,
         R"({"messages":[{"content":[{"type":"image_url","image_url":{"url":)" + url + "}}]}]}"},
        {"Responses image", responses, Family::openai,
         R"({"input":[{"content":[{"type":"input_image","image_url":)" + url + "}]}]}"},
        {"Responses generated image", responses, Family::openai,
         R"({"input":[{"type":"image_generation_call","id":"ig_1","result":)" + png + "}]}"},
        {"Responses screenshot", responses, Family::openai,
         R"({"input":[{"type":"computer_call_output","output":{"type":"input_image","image_url":)" +
             url + "}}]}"},
        {"Responses reasoning", responses, Family::openai,
         R"({"input":[{"type":"reasoning","summary":[],"encrypted_content":)" + sealed + "}]}"},
        {"Titan Embed image", invoke, Family::titan,
         R"({"inputText":"a cat","inputImage":)" + png + "}"},
        {"Titan Image variation", invoke, Family::titan,
         R"({"taskType":"IMAGE_VARIATION","imageVariationParams":{"text":"a","images":[)" + png +
             "," + png + "]}}"},
        {"Titan Image background", invoke, Family::titan,
         R"({"taskType":"BACKGROUND_REMOVAL","backgroundRemovalParams":{"image":)" + png + "}}"},
        {"Nova Canvas variation", invoke, Family::nova,
         R"({"taskType":"IMAGE_VARIATION","imageVariationParams":{"text":"a","images":[)" + png +
             "]}}"},
        {"Nova Canvas inpainting", invoke, Family::nova,
         R"({"inPaintingParams":{"image":)" + png + R"(,"maskImage":)" + png + "}}"},
        {"Nova Canvas condition", invoke, Family::nova,
         R"({"textToImageParams":{"text":"a cat","conditionImage":)" + png + "}}"},
        {"Nova Canvas try-on", invoke, Family::nova,
         R"({"virtualTryOnParams":{"sourceImage":)" + png + R"(,"referenceImage":)" + png + "}}"},
        {"Nova embeddings image", invoke, Family::nova,
         R"({"singleEmbeddingParams":{"image":{"format":"png","source":{"bytes":)" + png + "}}}}"},
        {"Nova embeddings video", invoke, Family::nova,
         R"({"singleEmbeddingParams":{"video":{"format":"mp4","source":{"bytes":")" + kMp4 +
             R"("}}}})"},
        {"Cohere Embed images", invoke, Family::cohere,
         R"({"input_type":"image","images":[)" + url + "]}"},
        {"Cohere Embed inputs", invoke, Family::cohere,
         R"({"inputs":[{"content":[{"type":"image_url","image_url":{"url":)" + url + "}}]}]}"},
        {"Stability image and mask", invoke, Family::unknown,
         R"({"prompt":"a cat","image":)" + png + R"(,"mask":)" + png + "}"},
        {"Stability init image", invoke, Family::unknown,
         R"({"text_prompts":[{"text":"a"}],"init_image":)" + png + "}"},
        {"Marengo image", invoke, Family::unknown,
         R"({"inputType":"image","image":{"mediaSource":{"base64String":)" + png + "}}}"},
        {"Pegasus video", invoke, Family::unknown,
         R"({"inputPrompt":"what is it","mediaSource":{"base64String":")" + kMp4 + R"("}})"},
        {"Mistral chat image", invoke, Family::mistral,
         R"({"messages":[{"content":[{"type":"image_url","image_url":{"url":)" + url + "}}]}]}"},
    };
    for (const Place& place : places) {
        const auto held = tokens(place.body, place.operation, place.family);
        EXPECT_LT(held, 12'000U) << place.what;
        EXPECT_GT(held, 1'500U) << place.what;
    }
}

TEST(Media, EachOfSeveralImagesIsCounted) {
    const auto held = [](int images) {
        std::string list;
        for (int i = 0; i < images; ++i) {
            list += (i == 0 ? "\"" : ",\"") + base64("/9j/4AAQ", 4'000) + "\"";
        }
        return tokens(R"({"input_type":"image","images":[)" + list + "]}", Operation::invoke,
                      Family::cohere);
    };
    EXPECT_EQ(held(5) - held(4), held(2) - held(1));
    EXPECT_NEAR(static_cast<double>(held(5) - held(4)), 1'600, 1);
    EXPECT_LT(held(0), 50U);
}

TEST(Media, AnImagesSizeIsReadThroughItsBase64) {
    const auto size = [](std::string_view base64) {
        return image_size(std::string(base64) + std::string(80, 'A'));
    };
    // Heads of files of 640 x 400.
    const ImageSize expected{640, 400};
    EXPECT_EQ(size("iVBORw0KGgoAAAANSUhEUgAAAoAAAAGQCAIAAAA"), expected);
    EXPECT_EQ(size("R0lGODlhgAKQAfcA"), expected);
    EXPECT_EQ(size("/9j/4AAQSkZJRgABAQAAAQABAAD/wAARCAGQAoADASIA"), expected);
    EXPECT_EQ(size("UklGRiQQAABXRUJQVlA4WAoAAAAQAAAAfwIAjwEA"), expected);
    EXPECT_EQ(size("UklGRiQQAABXRUJQVlA4IBgQAAAwAQCdASqAApABPm0"), expected);
    EXPECT_EQ(size("UklGRiQQAABXRUJQVlA4TBgQAAAvf8JjAA"), expected);
    EXPECT_EQ(size("data:image/gif;base64,R0lGODlhgAKQAfcA"), expected);
    for (const char* bad : {"", "iVBORw0KGgo=", "/9j/", "R0lGODlhAAAAAA", "UklGRiQQAABXQVZF",
                            "data:x", "/9j/4AAA/9j/4AAA"}) {
        EXPECT_EQ(image_size(bad), std::nullopt) << bad;
        for (std::size_t end = 0; end < 60; ++end) {
            static_cast<void>(image_size(kPng.substr(0, end)));
        }
    }
}

TEST(Media, ImagesCountByTheirSize) {
    const auto held = [](Family family, std::string_view image) {
        const auto with = [&](const std::string& part) {
            return tokens(R"({"messages":[{"content":[)" + part + "]}]}", Operation::converse,
                          family);
        };
        return with(R"({"image":{"format":"gif","source":{"bytes":")" + std::string(image) +
                    std::string(80, 'A') + R"("}}})") -
               with("");
    };
    const std::string icon = "R0lGODlhZABkAPcA";  // 100 x 100
    EXPECT_EQ(held(Family::anthropic, icon), 16U);
    EXPECT_EQ(held(Family::nova, icon), 147U);
    EXPECT_EQ(held(Family::mistral, icon), 1'600U);
    EXPECT_EQ(held(Family::anthropic, "R0lGODlhgAKQAfcA"), 342U);  // 640 x 400
    EXPECT_EQ(held(Family::anthropic, "R0lGODlh/////wAA"), 1'600U);
    EXPECT_EQ(held(Family::nova, "R0lGODlh/////wAA"), 2'600U);
}

TEST(Media, ATextFileCountsNearlyAsItsText) {
    std::string csv;
    while (csv.size() < 200'000) {
        csv += "QSxCLEMK";
    }
    const auto held =
        tokens(R"({"input":[{"content":[{"type":"input_file","x":"data:text/csv;base64,)" + csv +
                   R"("}]}]})",
               Operation::responses, Family::openai);
    EXPECT_NEAR(static_cast<double>(held), 150'000 * 0.33, 1'000);
}

// ---- models

struct Row {
    const char* model;
    Family family;
    bool says_text;
};

TEST(Models, EveryFamilyThatBedrockListsIsKnown) {
    using enum Family;
    const ModelTable table = builtin_models();
    for (const Row& row : {
             Row{"ai21.jamba-1-5-large-v1:0", unknown, true},
             Row{"ai21.j2-ultra-v1", unknown, true},
             Row{"amazon.nova-2-lite-v1:0", nova, true},
             Row{"amazon.nova-2-multimodal-embeddings-v1:0", nova, false},
             Row{"amazon.nova-canvas-v1:0", nova, false},
             Row{"amazon.nova-lite-v1:0", nova, true},
             Row{"amazon.nova-micro-v1:0", nova, true},
             Row{"amazon.nova-premier-v1:0", nova, true},
             Row{"amazon.nova-pro-v1:0", nova, true},
             Row{"amazon.nova-reel-v1:1", nova, false},
             Row{"amazon.rerank-v1:0", unknown, false},
             Row{"amazon.titan-embed-g1-text-02", titan, false},
             Row{"amazon.titan-embed-image-v1", titan, false},
             Row{"amazon.titan-embed-text-v1", titan, false},
             Row{"amazon.titan-embed-text-v2:0", titan, false},
             Row{"amazon.titan-image-generator-v2:0", titan, false},
             Row{"amazon.titan-text-express-v1", titan, true},
             Row{"amazon.titan-text-lite-v1", titan, true},
             Row{"amazon.titan-text-premier-v1:0", titan, true},
             Row{"amazon.titan-tg1-large", titan, true},
             Row{"anthropic.claude-3-haiku-20240307-v1:0", anthropic, true},
             Row{"anthropic.claude-haiku-4-5-20251001-v1:0", anthropic, true},
             Row{"anthropic.claude-opus-5-5", anthropic, true},
             Row{"anthropic.claude-sonnet-4-6", anthropic, true},
             Row{"cohere.command-r-plus-v1:0", cohere, true},
             Row{"cohere.command-text-v14", cohere, true},
             Row{"cohere.embed-english-v3", cohere, false},
             Row{"cohere.embed-multilingual-v3", cohere, false},
             Row{"cohere.embed-v4:0", cohere, false},
             Row{"cohere.rerank-v3-5:0", cohere, false},
             Row{"deepseek.r1-v1:0", unknown, true},
             Row{"deepseek.v3-v1:0", unknown, true},
             Row{"google.gemma-3-27b-it", unknown, true},
             Row{"luma.ray-v2:0", unknown, false},
             Row{"meta.llama3-1-405b-instruct-v1:0", llama, true},
             Row{"meta.llama4-scout-17b-instruct-v1:0", llama, true},
             Row{"minimax.minimax-m2", unknown, true},
             Row{"mistral.magistral-small-2509", mistral, true},
             Row{"mistral.ministral-3-8b-instruct", mistral, true},
             Row{"mistral.mistral-large-3-675b-instruct", mistral, true},
             Row{"mistral.pixtral-large-2502-v1:0", mistral, true},
             Row{"mistral.voxtral-mini-3b-2507", mistral, true},
             Row{"moonshot.kimi-k2-thinking", unknown, true},
             Row{"moonshotai.kimi-k2.5", unknown, true},
             Row{"nvidia.nemotron-nano-12b-v2", unknown, true},
             Row{"openai.gpt-5.6", openai, true},
             Row{"openai.gpt-oss-120b-1:0", openai, true},
             Row{"openai.gpt-oss-safeguard-20b", openai, true},
             Row{"qwen.qwen3-coder-480b-a35b-v1:0", unknown, true},
             Row{"qwen.qwen3-vl-235b-a22b", unknown, true},
             Row{"stability.sd3-5-large-v1:0", unknown, false},
             Row{"stability.stable-conservative-upscale-v1:0", unknown, false},
             Row{"stability.stable-diffusion-xl-v1", unknown, false},
             Row{"stability.stable-image-core-v1:1", unknown, false},
             Row{"twelvelabs.marengo-embed-2-7-v1:0", unknown, false},
             Row{"twelvelabs.marengo-embed-3-0-v1:0", unknown, false},
             Row{"twelvelabs.pegasus-1-2-v1:0", unknown, true},
             Row{"writer.palmyra-x5-v1:0", unknown, true},
             Row{"zai.glm-4.7", unknown, true},
         }) {
        for (const std::string geo : {"", "us.", "ca.", "global."}) {
            const ModelFacts facts = table.facts(geo + row.model);
            EXPECT_TRUE(facts.known) << geo << row.model;
            EXPECT_EQ(facts.family, row.family) << geo << row.model;
            EXPECT_EQ(facts.max_output > 0, row.says_text) << geo << row.model;
        }
    }
}

}  // namespace
}  // namespace weir::bedrock
