// The fuzzers' corpora as plain tests, so that what was once found stays found.
#include "fuzz/eventstream_fuzz.h"
#include "fuzz/http1_fuzz.h"
#include "fuzz/sse_fuzz.h"
#include "unit/codec/suites.h"

#if __has_include(<boost/beast/http/basic_parser.hpp>)
#include "fuzz/http1_beast_fuzz.h"
#define WEIR_WITH_BEAST
#endif

#include <gtest/gtest.h>

namespace {

void run_corpus(const std::string& name, void (*target)(std::string_view)) {
    const std::filesystem::path folder =
        std::filesystem::path(WEIR_SOURCE_DIR) / "tests/fuzz/corpus" / name;
    int seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        SCOPED_TRACE(entry.path());
        target(weir::testing::read_file(entry.path()));
        ++seen;
    }
    EXPECT_GT(seen, 10) << folder;
}

TEST(Corpus, Http1) {
    run_corpus("http1", weir::fuzz::http1);
}

/// Each difference that is allowed is met by an input, so that none is kept for nothing.
TEST(Corpus, Http1BesideBeast) {
#ifdef WEIR_WITH_BEAST
    static weir::fuzz::Differences met;
    met.reset();
    for (const char* name : {"http1", "http1_beast"})
        run_corpus(name, [](std::string_view bytes) { met |= weir::fuzz::http1_beast(bytes); });
    EXPECT_TRUE(met.all()) << met;
#else
    GTEST_SKIP() << "Boost.Beast is not here: apt-get install libboost-dev";
#endif
}

TEST(Corpus, EventStream) {
    run_corpus("eventstream", weir::fuzz::eventstream);
}
TEST(Corpus, Sse) {
    run_corpus("sse", weir::fuzz::sse);
}

}  // namespace
