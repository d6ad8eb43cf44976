#include <gtest/gtest.h>

#include "policy/address.h"

namespace weir::policy {
namespace {

struct Row {
    std::string_view text;
    std::string_view host;
    std::uint16_t port = 0;
    bool loopback = false;
};

TEST(Address, WhatIsOneAndWhetherItStaysHere) {
    const Row rows[] = {
        {"127.0.0.1:7070", "127.0.0.1", 7070, true},
        {"127.255.0.9:0", "127.255.0.9", 0, true},
        {"0.0.0.0:65535", "0.0.0.0", 65535, false},
        {"10.1.2.3:80", "10.1.2.3", 80, false},
        {"[::1]:7070", "::1", 7070, true},
        {"[0:0:0:0:0:0:0:1]:1", "0:0:0:0:0:0:0:1", 1, true},
        {"[::]:1", "::", 1, false},
        {"[::2]:1", "::2", 1, false},
        {"[1::1]:1", "1::1", 1, false},
        {"[::1:0:1]:1", "::1:0:1", 1, false},
        {"[::1:1]:1", "::1:1", 1, false},
        {"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true},
        {"[::FFFF:7f01:203]:1", "::FFFF:7f01:203", 1, true},
        {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1, false},
        {"[0:0:0:0:0:ffff:127.0.0.1]:1", "0:0:0:0:0:ffff:127.0.0.1", 1, true},
        {"[1:2:3:4:5:6:7:8]:1", "1:2:3:4:5:6:7:8", 1, false},
        {"[1:2:3:4:5:6:7::]:1", "1:2:3:4:5:6:7::", 1, false},
        {"[fe80::aB:9]:1", "fe80::aB:9", 1, false},
    };
    for (const Row& row : rows) {
        const auto address = parse_address(row.text);
        ASSERT_TRUE(address) << row.text;
        EXPECT_EQ(address->host, row.host);
        EXPECT_EQ(address->port, row.port) << row.text;
        EXPECT_EQ(address->loopback, row.loopback) << row.text;
    }
}

TEST(Address, WhatIsNone) {
    for (const std::string_view text : {"",
                                        "127.0.0.1",
                                        ":7070",
                                        "127.0.0.1:",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:100000",
                                        "127.0.0.1:07",
                                        "127.0.0.1:7x",
                                        "localhost:7070",
                                        "127.0.0:1",
                                        "127.0.0.1.1:1",
                                        "127.0.0.256:1",
                                        "127..0.1:1",
                                        "01.0.0.1:1",
                                        "::1:7070",
                                        "[]:1",
                                        "[::1:1",
                                        "[a]:1",
                                        "[1:2:3:4:5:6:7]:1",
                                        "[1:2:3:4:5:6:7:8:9]:1",
                                        "[1:2:3:4:5:6:7:8::]:1",
                                        "[12345::]:1",
                                        "[::g]:1",
                                        "[1::2::3]:1",
                                        "[1:2:]:1",
                                        "[1-2]:1",
                                        "[:::]:1",
                                        "[::1.2.3]:1",
                                        "[::256.1.1.1]:1",
                                        "[1:2:3:4:5:6:7:1.2.3.4]:1",
                                        "[1:2:3:4:5:6:7:8:1.2.3.4]:1"}) {
        EXPECT_FALSE(parse_address(text)) << text;
    }
}

TEST(Address, Urls) {
    for (const std::string_view text : {"http://localhost", "https://a.example:443/path",
                                        "http://[::1]", "http://[::1]:80/", "http://1.2.3.4:1"}) {
        EXPECT_TRUE(is_http_url(text)) << text;
    }
    for (const std::string_view text : {"",
                                        "localhost",
                                        "ftp://a",
                                        "http://",
                                        "http:///path",
                                        "http://a b",
                                        "http://a\x7f",
                                        "http://u@a",
                                        "http://a?q",
                                        "http://a#f",
                                        "http://a\"",
                                        "http://a\\b",
                                        "http://a:",
                                        "http://a:0",
                                        "http://a:65536",
                                        "http://:80",
                                        "http://a]",
                                        "http://[::1",
                                        "http://[x]",
                                        "http://[::1]80",
                                        "http://[::1]:0",
                                        "http://[::1]:x"}) {
        EXPECT_FALSE(is_http_url(text)) << text;
    }
}

TEST(Address, APasswordIsNotForMessages) {
    EXPECT_EQ(without_user("http://u:secret@h:4318/a"), "http://...@h:4318/a");
    EXPECT_EQ(without_user("http://u:a@b@h"), "http://...@h");
    EXPECT_EQ(without_user("u:secret@h"), "...@h");
    EXPECT_EQ(without_user("http://u:se/c?r#et@h/a"), "http://...@h/a");
    EXPECT_EQ(without_user("http://h/a?c@d"), "http://...@d") << "rather than a password shown";
    EXPECT_EQ(without_user("http://h:4318/a?b#c"), "http://h:4318/a?b#c");
    EXPECT_EQ(without_user("http://"), "http://");
    EXPECT_EQ(without_user(""), "");
}

}  // namespace
}  // namespace weir::policy
