// The fuzzer's corpus as a plain test, so that what was once found stays found.
#include "fuzz/request_fuzz.h"
#include "unit/read_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace weir::bedrock {
namespace {

TEST(RequestCorpus, HoldsForEveryBodyInEveryLanguage) {
    const std::filesystem::path folder =
        std::filesystem::path(WEIR_SOURCE_DIR) / "tests/fuzz/corpus/request";
    int seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        SCOPED_TRACE(entry.path());
        std::string bytes = read_file(entry.path());
        for (unsigned choice = 0; choice < 32 && !bytes.empty(); ++choice) {
            bytes[0] = static_cast<char>(choice);
            fuzz::request(bytes);
        }
        ++seen;
    }
    EXPECT_GT(seen, 20) << folder;
}

}  // namespace
}  // namespace weir::bedrock
