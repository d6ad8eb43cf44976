// The fuzzer's corpus as a plain test, so that what was once found stays found.
#include "fuzz/failure_fuzz.h"
#include "unit/read_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::bedrock {
namespace {

TEST(FailureCorpus, NothingReceivedIsLeftUnclean) {
    const std::filesystem::path folder =
        std::filesystem::path(WEIR_SOURCE_DIR) / "tests/fuzz/corpus/failure";
    int seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        SCOPED_TRACE(entry.path());
        const std::string bytes = read_file(entry.path());
        for (std::size_t end = 0; end <= bytes.size(); end += bytes.size() / 100 + 1) {
            fuzz::failure(std::string_view(bytes).substr(0, end));
        }
        fuzz::failure(bytes);
        ++seen;
    }
    EXPECT_GT(seen, 5) << folder;
}

TEST(Failure, ANameEndsBeforeALineEnd) {
    for (const char* body : {R"({"__type":"ThrottlingException\r\nX-Injected: 1","message":"a"})",
                             R"({"code":"x#Throttling\u0000Exception","message":"a"})",
                             R"({"error":{"type":"Throttling\nException","message":"a"}})"}) {
        codec::Head head;
        head.status = 429;
        std::string text = body;
        const Failure failure = AnswerReader().failure(head, text, 0);
        EXPECT_TRUE(failure.error_type.starts_with("Throttling")) << failure.error_type;
        EXPECT_EQ(codec::clean_name(failure.error_type), failure.error_type);
        EXPECT_EQ(failure.cls, FailureClass::quota_requests);
    }
}

}  // namespace
}  // namespace weir::bedrock
