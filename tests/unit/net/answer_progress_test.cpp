#include "net/answer_progress.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

TEST(AnswerProgress, HoldsTheContentAgainstThePromisedLength) {
    AnswerProgress answer;
    EXPECT_FALSE(answer.begun());
    answer.begin(200, 10);
    EXPECT_TRUE(answer.begun());
    EXPECT_TRUE(answer.take(4));
    EXPECT_FALSE(answer.complete());
    EXPECT_FALSE(answer.take(7)) << "more than is left";
    EXPECT_TRUE(answer.take(6)) << "what was refused is not counted";
    EXPECT_TRUE(answer.complete());
    EXPECT_FALSE(answer.ended());
    answer.end();
    EXPECT_TRUE(answer.ended());
}

TEST(AnswerProgress, WithoutALengthAnyContentIsRight) {
    AnswerProgress answer;
    answer.begin(200, std::nullopt);
    EXPECT_TRUE(answer.complete());
    EXPECT_TRUE(answer.take(1 << 20));
    EXPECT_TRUE(answer.complete());
    EXPECT_FALSE(answer.silent());
}

TEST(AnswerProgress, AnAnswerToHeadIsSilentAndMissesNothing) {
    AnswerProgress answer(true);
    answer.begin(200, 10);
    EXPECT_TRUE(answer.silent());
    EXPECT_TRUE(answer.complete());
    EXPECT_EQ(answer.length(), 10U) << "its head tells what GET would get";
}

TEST(AnswerProgress, SoIsAStatusWithoutContent) {
    for (const int status : {100, 204, 304}) {
        AnswerProgress answer;
        answer.begin(status, 10);
        EXPECT_TRUE(answer.silent()) << status;
        EXPECT_TRUE(answer.complete()) << status;
    }
}

}  // namespace
}  // namespace weir::net::test
