// The fuzzer's corpus as a unit test, and every file of it cut short at every byte.

#include "unit/read_file.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "../../fuzz/config_fuzz.cpp"

namespace {

TEST(ConfigCorpus, NoFileAndNoPrefixOfOneDoesHarm) {
    int files = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(WEIR_SOURCE_DIR "/tests/fuzz/corpus/config")) {
        const std::string text = weir::read_file(entry.path());
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
        LLVMFuzzerTestOneInput(bytes, text.size());
        const std::size_t step = text.size() / 200 + 1;
        for (std::size_t size = 0; size < text.size(); size += step)
            LLVMFuzzerTestOneInput(bytes, size);
        ++files;
    }
    EXPECT_GE(files, 20);
}

}  // namespace
