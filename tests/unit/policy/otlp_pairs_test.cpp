#include "policy/otlp_pairs.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

OtlpPairs read(std::string_view text) {
    const auto pairs = parse_otlp_pairs(text);
    return pairs.value_or(OtlpPairs{{"failed", ""}});
}

TEST(OtlpPairs, AreReadAndDecoded) {
    EXPECT_EQ(read(""), OtlpPairs());
    EXPECT_EQ(read("a=1"), (OtlpPairs{{"a", "1"}}));
    EXPECT_EQ(read(" a = 1 ,\tb=two%20%2C words,,c="),
              (OtlpPairs{{"a", "1"}, {"b", "two , words"}, {"c", ""}}));
    EXPECT_EQ(read("a=b=c"), (OtlpPairs{{"a", "b=c"}}));
}

TEST(OtlpPairs, AMistakeIsNamedByItsNumberAlone) {
    EXPECT_EQ(parse_otlp_pairs("a=1,secret").error().message,
              "pair 2 is not name=value; allowed is a list of those with commas between");
    EXPECT_FALSE(parse_otlp_pairs("=secret"));
    for (const char* text : {"a=%", "a=%2", "a=%2x", "a=secret%zz"}) {
        EXPECT_EQ(parse_otlp_pairs(text).error().message,
                  "the value of pair 1 is not percent-encoded: '%' needs two hexadecimal digits "
                  "after it")
            << text;
    }
}

TEST(OtlpHeaders, MustBeFieldsThatAreNotWeirsOwn) {
    EXPECT_TRUE(parse_otlp_headers("Authorization=Bearer%20key,x-scope=a%09b"));
    for (const char* text : {"a b=1", "a:=1", "\xc3\xa9=1"}) {
        EXPECT_EQ(parse_otlp_headers(text).error().message,
                  "the name of pair 1 is no name of a header field")
            << text;
    }
    for (const char* text : {"a=1,Host=x", "a=1,content-TYPE=x", "a=1,Transfer-Encoding=x"}) {
        EXPECT_EQ(parse_otlp_headers(text).error().message,
                  "the name of pair 2 is of a field that weir writes")
            << text;
    }
    for (const char* text : {"a=x%0d%0ab:c", "a=%00", "a=%7f"}) {
        EXPECT_EQ(parse_otlp_headers(text).error().message,
                  "the value of pair 1 has a control character or a line end")
            << text;
    }
}

}  // namespace
}  // namespace weir::policy
