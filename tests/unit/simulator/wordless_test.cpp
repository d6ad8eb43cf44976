#include "simulator/wordless.h"

#include <gtest/gtest.h>

namespace weir::simulator {
namespace {

std::uint64_t input(std::string_view model, std::string_view body) {
    const auto ask = read_wordless(body, model);
    EXPECT_TRUE(ask) << model << (ask ? "" : ask.error().message);
    return ask ? ask->input : 0;
}

TEST(Wordless, KnowsWhatSaysNoText) {
    for (const char* model :
         {"amazon.titan-embed-text-v2:0", "amazon.titan-embed-image-v1", "cohere.embed-v4:0",
          "us.cohere.embed-english-v3", "amazon.nova-2-multimodal-embeddings-v1:0",
          "amazon.rerank-v1:0", "cohere.rerank-v3-5:0", "amazon.nova-canvas-v1:0",
          "amazon.titan-image-generator-v2:0", "stability.sd3-5-large-v1:0",
          "twelvelabs.marengo-embed-3-0-v1:0"}) {
        EXPECT_TRUE(is_wordless(model)) << model;
        Generation generation;
        generation.model = model;
        EXPECT_GT(wordless_answer(generation).size(), 10U) << model;
    }
    for (const char* model : {"anthropic.claude-sonnet-4-5", "amazon.nova-2-lite-v1:0",
                              "amazon.titan-text-express-v1", "cohere.command-r-v1:0"}) {
        EXPECT_FALSE(is_wordless(model)) << model;
    }
}

TEST(Wordless, CountsTextAndImages) {
    const std::string image = "\"" + std::string(4'000, 'A') + "\"";
    EXPECT_EQ(input("amazon.titan-embed-text-v2:0", R"({"inputText":"twelve bytes"})"), 3U);
    EXPECT_EQ(input("amazon.titan-embed-image-v1",
                    R"({"inputText":"twelve bytes","inputImage":)" + image + "}"),
              3U);
    EXPECT_EQ(
        input("cohere.embed-v4:0",
              R"({"input_type":"image","images":["data:image/png;base64,AAAA",)" + image + "]}"),
        2'000U);
    EXPECT_EQ(input("cohere.rerank-v3-5:0", R"({"query":"twelve bytes","documents":["four"]})"),
              4U);
    EXPECT_EQ(input("amazon.nova-canvas-v1:0",
                    R"({"taskType":"TEXT_IMAGE","textToImageParams":{"text":"[[input=77]]"}})"),
              77U);
    EXPECT_FALSE(read_wordless(R"({"messages":[]})", "cohere.embed-v4:0"));
    EXPECT_FALSE(read_wordless("[]", "cohere.embed-v4:0"));
}

}  // namespace
}  // namespace weir::simulator
