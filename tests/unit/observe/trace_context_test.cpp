// W3C Trace Context and X-Ray's field, as callers send them and as they should not.
#include "observe/trace_context.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace weir::observe {
namespace {

constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr std::string_view kXray =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

TEST(TraceParent, OfTheSpecification) {
    const auto read = parse_traceparent(kParent);
    ASSERT_TRUE(read);
    EXPECT_EQ(hex(read->trace), "0af7651916cd43dd8448eb211c80319c");
    EXPECT_EQ(hex_span(read->parent), "b7ad6b7169203331");
    EXPECT_EQ(read->sampled, true);
    EXPECT_FALSE(read->random);
}

TEST(TraceParent, Flags) {
    const auto flags = [](const char* text) {
        return parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-" +
                                 std::string(text));
    };
    EXPECT_EQ(flags("00")->sampled, false);
    EXPECT_EQ(flags("03")->sampled, true);
    EXPECT_TRUE(flags("03")->random);
    EXPECT_TRUE(flags("02")->random);
    EXPECT_EQ(flags("ff")->sampled, true) << "bits that have no meaning yet are no fault";
    EXPECT_FALSE(flags("0A"));
    EXPECT_FALSE(flags("0"));
}

TEST(TraceParent, WhatIsMalformedBeginsANewTrace) {
    for (const std::string_view value : {
             "",
             "00",
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
             "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
             "00-00000000000000000000000000000000-b7ad6b7169203331-01",
             "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
             "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
             "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-010",
             "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01what",
             "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
             "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
             " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
             "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
         }) {
        EXPECT_FALSE(parse_traceparent(value)) << value;
    }
}

TEST(TraceParent, ALaterVersionIsReadAsFarAsItIsKnown) {
    EXPECT_TRUE(parse_traceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    EXPECT_TRUE(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
}

TEST(TraceParent, IsWrittenInVersion00WithTheKnownFlags) {
    RequestTrace trace;
    trace.caller = *parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-x");
    const auto written = [&] {
        const auto field = traceparent(trace, 0x1234);
        return std::string(field.data(), field.size());
    };
    trace.sampled = true;
    EXPECT_EQ(written(), "00-0af7651916cd43dd8448eb211c80319c-0000000000001234-03");
    trace.sampled = trace.caller.random = false;
    EXPECT_EQ(written(), "00-0af7651916cd43dd8448eb211c80319c-0000000000001234-00");
}

TEST(XrayField, IsRead) {
    const auto read = parse_xray(kXray);
    ASSERT_TRUE(read);
    EXPECT_EQ(hex(read->trace), "5759e988bd862e3fe1be46a994272793");
    EXPECT_EQ(hex_span(read->parent), "53995c3f42cd8ad8");
    EXPECT_EQ(read->sampled, true);
    const auto open = parse_xray(
        "Self=1-67891234-12456789abcdef012345678; Root=1-5759e988-"
        "bd862e3fe1be46a994272793 ;Sampled=?;Lineage=1:a");
    ASSERT_TRUE(open);
    EXPECT_EQ(open->parent, 0U);
    EXPECT_FALSE(open->sampled.has_value());
    EXPECT_EQ(parse_xray("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")->sampled, false);
}

TEST(XrayField, Malformed) {
    for (const std::string_view value :
         {"", "Root", "Root=", "Root=2-5759e988-bd862e3fe1be46a994272793",
          "Root=1-00000000-000000000000000000000000", "Root=1-5759e988-bd862e3fe1be46a99427279",
          "Root=1-5759e988_bd862e3fe1be46a994272793", "Root=1-5759e98x-bd862e3fe1be46a994272793",
          "root=1-5759e988-bd862e3fe1be46a994272793", "Parent=53995c3f42cd8ad8;Sampled=1"}) {
        EXPECT_FALSE(parse_xray(value)) << value;
    }
    EXPECT_FALSE(parse_xray(std::string(kXray) + ";" + std::string(2000, 'x')));
    EXPECT_EQ(parse_xray("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=xyz")->parent, 0U);
}

TEST(XrayField, GoesOnWithWeirsSpan) {
    RequestTrace trace;
    trace.caller = *parse_xray(kXray);
    trace.sampled = true;
    EXPECT_EQ(xray_field(kXray, trace, 0xab),
              "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=00000000000000ab;Sampled=1");
    EXPECT_EQ(
        xray_field("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=?;Lineage=a:0", trace, 0xab),
        "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Lineage=a:0;Parent="
        "00000000000000ab");
    const std::string other = "Root=1-5759e988-bd862e3fe1be46a994272794;Parent=53995c3f42cd8ad8";
    EXPECT_EQ(xray_field(other, trace, 0xab), other) << "another trace than traceparent's";
    EXPECT_EQ(xray_field("nonsense", trace, 0xab), "nonsense");
}

std::string joined(const std::vector<std::string_view>& lines) {
    return joined_tracestate(lines);
}

TEST(TraceState, GoesOnUnchanged) {
    EXPECT_EQ(joined({"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}),
              "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    EXPECT_EQ(joined({"a=1 ,\tb=2", "c=3,,d=4"}), "a=1,b=2,c=3,d=4") << "several lines are one";
    EXPECT_EQ(joined({}), "");
    EXPECT_EQ(joined({"", ","}), "");
}

TEST(TraceState, MalformedIsLeftOut) {
    EXPECT_EQ(joined({"a"}), "");
    EXPECT_EQ(joined({"a=1,=2"}), "");
    EXPECT_EQ(joined({"a=1,b="}), "");
    EXPECT_EQ(joined({"a=1=2"}), "");
    EXPECT_EQ(joined({"a=\x01"}), "");
    EXPECT_EQ(joined({"a=\xc3\xa9"}), "");
}

TEST(TraceState, IsBounded) {
    std::string many;
    for (int i = 0; i < 40; ++i) {
        many += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
    }
    const std::string kept = joined({many});
    EXPECT_TRUE(kept.starts_with("k0=v,")) << kept;
    EXPECT_TRUE(kept.ends_with(",k31=v")) << kept;

    const std::string large = "large=" + std::string(200, 'x');
    const std::string small = "small=" + std::string(100, 'y');
    EXPECT_EQ(joined({large + "," + small, large + "," + small}), large + "," + small + "," + small)
        << "the last large one goes first";
    std::string full = "k=" + std::string(510, 'z');
    EXPECT_EQ(joined({full}), full) << "512 bytes";
    full += 'z';
    EXPECT_EQ(joined({full}), "");
}

TEST(TraceSample, IsTheShare) {
    EXPECT_TRUE(in_trace_sample({0, 0}, 1));
    EXPECT_FALSE(in_trace_sample({~0ULL, ~0ULL}, 0));
    // The threshold of one half is 0x80000000000000 of the last 56 bits; the rest has no say.
    EXPECT_TRUE(in_trace_sample({0, 0x0080000000000000ULL}, 0.5));
    EXPECT_FALSE(in_trace_sample({~0ULL, 0xff7fffffffffffffULL}, 0.5));
    EXPECT_TRUE(in_trace_sample({0, 0x00fd70a3d70a3d8fULL}, 0.01));
    EXPECT_FALSE(in_trace_sample({0, 0x00fd70a3d70a3d00ULL}, 0.01));
}

TEST(AttemptSpan, EachHasItsOwn) {
    std::set<SpanId> seen{7};
    for (std::uint32_t attempt = 1; attempt <= 100; ++attempt) {
        const SpanId id = attempt_span(7, attempt);
        EXPECT_NE(id, 0U);
        EXPECT_TRUE(seen.insert(id).second);
        EXPECT_EQ(id, attempt_span(7, attempt));
    }
    EXPECT_NE(attempt_span(8, 1), attempt_span(7, 1));
}

}  // namespace
}  // namespace weir::observe
