// The fuzzer's corpus as a plain test, so that what was once found stays found.
#include "fuzz/http2_fuzz.h"
#include "unit/read_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace {

TEST(Corpus, Http2) {
    const auto folder = std::filesystem::path(WEIR_SOURCE_DIR) / "tests/fuzz/corpus/http2";
    int seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        SCOPED_TRACE(entry.path());
        std::string bytes = weir::read_file(entry.path());
        weir::fuzz::http2(bytes);
        for (const char choice : {'\0', '\1', '\7'}) {  // wherever it is cut
            bytes[0] = choice;
            weir::fuzz::http2(bytes);
        }
        ++seen;
    }
    EXPECT_GT(seen, 10) << folder;
}

}  // namespace
