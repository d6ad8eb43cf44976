#include "gateway/via.h"

#include <gtest/gtest.h>

namespace weir::gateway {
namespace {

constexpr std::string_view kName = "weir-0123456789abcdef";

TEST(Via, ANameIsNewEachTime) {
    const auto name = new_instance_name();
    EXPECT_EQ(name.size(), kName.size());
    EXPECT_TRUE(name.starts_with("weir-"));
    EXPECT_NE(name, new_instance_name());
}

TEST(Via, OnlyItsOwnNameIsALoop) {
    for (const std::string_view value :
         {"1.1 weir-0123456789abcdef", "HTTP/1.1 weir-0123456789abcdef", "2\tweir-0123456789abcdef",
          "1.1 fred, 1.1 weir-0123456789abcdef",
          "1.1 fred (a, b \\) c (nested)), 1.1 weir-0123456789abcdef (comment)",
          ",, 1.1   weir-0123456789abcdef ,", "1.1 weir-0123456789abcdef(comment)",
          "1.1 fred \\, 1.1 weir-0123456789abcdef", "1.1 fred ), 1.1 weir-0123456789abcdef",
          "1.1 unfinished, 1.1 weir-0123456789abcdef (comment"}) {
        EXPECT_TRUE(via_names(value, kName)) << value;
    }
    for (const std::string_view value :
         {"", "1.1 weir", "weir", "1.1 weir-0123456789abcdee", "1.1 weir-0123456789abcdef0",
          "1.1 WEIR-0123456789ABCDEF", "1.1 weir-0123456789abcdef:80", "weir-0123456789abcdef",
          "1.1 fred (1.1 weir-0123456789abcdef)", "1.1 fred (, 1.1 weir-0123456789abcdef",
          "1.1 fred weir-0123456789abcdef", "(", "\\", ",", "1.1 ", "1.1 fred (\\"}) {
        EXPECT_FALSE(via_names(value, kName)) << value;
    }
}

TEST(Via, AllFieldsOfARequestAreLookedAtAndGoOn) {
    codec::Head head;
    head.add({"Host", "h"});
    head.add({"Via", "1.0 fred"});
    head.add({"Via", ""});
    head.add({"via", "1.1 weir-0123456789abcdef"});
    EXPECT_TRUE(has_been_through(head, kName));
    EXPECT_FALSE(has_been_through(head, "weir-other"));
    std::string out;
    append_via(out, head, 11, "weir-other");
    EXPECT_EQ(out, "Via: 1.0 fred, 1.1 weir-0123456789abcdef, 1.1 weir-other\r\n");
}

TEST(Via, TheProtocolIsWhatTheRequestCameBy) {
    std::string out;
    append_via(out, {}, 20, kName);
    append_via(out, {}, 10, kName);
    EXPECT_EQ(out, "Via: 2 weir-0123456789abcdef\r\nVia: 1.0 weir-0123456789abcdef\r\n");
    EXPECT_FALSE(has_been_through({}, kName));
}

}  // namespace
}  // namespace weir::gateway
