#include "codec/sse.h"

#include "fuzz/sse_fuzz.h"

#include <gtest/gtest.h>

namespace weir::codec {
namespace {

using fuzz::Seen;

std::vector<Seen> all(std::string_view bytes, std::size_t step = 1'000'000) {
    std::size_t taken = 0;
    return fuzz::events(bytes, step, taken);
}

TEST(Sse, LinesEndAsTheyPlease) {
    const std::vector<Seen> expected{{"a", "1\n2"}, {"", "3"}};
    for (const std::string_view end : {"\n", "\r\n", "\r"}) {
        std::string bytes;
        for (const std::string_view line :
             {"event: a", "data: 1", "data:2", "", ": comment", "data: 3", ""}) {
            bytes.append(line).append(end);
        }
        for (std::size_t step = 1; step <= bytes.size(); ++step) {
            EXPECT_EQ(all(bytes, step), expected) << step << " of " << bytes;
        }
    }
}

TEST(Sse, AByteOrderMarkIsPassedOverOnce) {
    EXPECT_EQ(all("\xEF\xBB\xBF"
                  "data: x\n\n"),
              (std::vector<Seen>{{"", "x"}}));
    EXPECT_TRUE(all("data: \n\n\xEF\xBB\xBF"
                    "data: x\n\n")
                    .size() == 1);
}

TEST(Sse, WhatHasNoDataIsNotAnEvent) {
    EXPECT_TRUE(all(":ping\n\nevent: x\n\nid: 1\n\n").empty());
    EXPECT_EQ(all("data\n\n"), (std::vector<Seen>{{"", ""}}));
}

TEST(Sse, AnUnfinishedEventWaits) {
    SseReader reader;
    SseEvent event;
    EXPECT_EQ(reader.read("data: x", event), std::nullopt);
    EXPECT_EQ(reader.read("data: x\r", event), std::nullopt);
    EXPECT_EQ(reader.read("data: x\r\n", event), std::nullopt);
    EXPECT_EQ(reader.read("data: x\r\n\r", event), 10U);
    EXPECT_EQ(event.data, "x");
    EXPECT_EQ(reader.read("\ndata: y\n\n", event), 1U);  // the rest of that line's end
    EXPECT_FALSE(event.has_data);
    EXPECT_EQ(reader.read("data: y\n\n", event), 9U);
    EXPECT_EQ(event.data, "y");
}

TEST(Sse, AnEventWithoutEndIsBounded) {
    SseReader reader;
    SseEvent event;
    std::string bytes = "data: ";
    EXPECT_EQ(reader.read(bytes, event, 100), std::nullopt);
    bytes.append(100, 'x');
    EXPECT_EQ(reader.read(bytes, event, 100), std::unexpected(SseError::too_large));
    SseReader lines;
    std::string many;
    for (int i = 0; i < 50; ++i) {
        many += ":x\n";
    }
    EXPECT_EQ(lines.read(many, event, 100), std::unexpected(SseError::too_large));
}

TEST(Sse, SmallPiecesAreSearchedOnce) {
    // A megabyte byte by byte: with a fresh search for each it would take minutes.
    std::string bytes = "data: " + std::string(1'000'000, 'x');
    SseReader reader;
    SseEvent event;
    for (std::size_t given = 1; given < bytes.size(); given += 5) {
        ASSERT_EQ(reader.read(std::string_view(bytes).substr(0, given), event), std::nullopt);
    }
    bytes += "\n\n";
    EXPECT_EQ(reader.read(bytes, event), bytes.size());
    EXPECT_EQ(event.data.size(), 1'000'000U);
}

}  // namespace
}  // namespace weir::codec
