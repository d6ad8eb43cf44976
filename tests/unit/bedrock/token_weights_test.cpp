#include "bedrock/token_weights.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

namespace weir::bedrock {
namespace {

std::uint64_t seed() {
    const char* const given = std::getenv("WEIR_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

TEST(TokenWeights, AVectorWeighsWhatItsBytesWeigh) {
    const std::uint64_t start = seed();
    SCOPED_TRACE("WEIR_SEED=" + std::to_string(start));
    std::mt19937_64 random(start);
    for (int round = 0; round < 2'000; ++round) {
        std::string text(random() % 5'000, '\0');
        const bool ascii = round % 2 == 0;
        for (char& c : text) {
            c = static_cast<char>(random() % (ascii ? 128 : 256));
        }
        std::uint64_t sum = 0;
        for (const char& c : text) {
            sum += weigh(std::string_view(&c, 1));
        }
        ASSERT_EQ(weigh(text), sum);
    }
}

TEST(TokenWeights, TheHeaviestBytesDoNotOverflowALane) {
    const std::string heavy(1 << 20, '\xf4');
    EXPECT_EQ(weigh(heavy), heavy.size() * weigh("\xf4"));
}

TEST(TokenWeights, AnEscapeWeighsWhatItStandsFor) {
    EXPECT_EQ(weigh_json(R"(\u4f60\u597d)"), weigh("你好"));
    EXPECT_EQ(weigh_json(R"(\uac00\u0436\u00e9)"), weigh("가жé"));
    EXPECT_EQ(weigh_json(R"(\ud83d\ude00)"), weigh("😀"));
    EXPECT_EQ(weigh_json(R"(a\nb\t\"\u0041)"), weigh("a\nb\t\"A"));
    EXPECT_GT(weigh_json("\\"), 0U);
}

}  // namespace
}  // namespace weir::bedrock
