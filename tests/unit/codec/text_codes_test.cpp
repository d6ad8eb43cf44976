// Hexadecimal digits, percent-encoding, base64.
#include "codec/base64.h"
#include "codec/hex.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::codec {
namespace {

TEST(Hex, ADigitOfEitherCaseAndNothingElse) {
    for (int c = 0; c < 256; ++c) {
        const char letter = static_cast<char>(c);
        const std::size_t small = kHexDigits.find(letter);
        const std::size_t large = std::string_view("0123456789ABCDEF").find(letter);
        const int value = small != std::string_view::npos   ? static_cast<int>(small)
                          : large != std::string_view::npos ? static_cast<int>(large)
                                                            : -1;
        EXPECT_EQ(hex_value(letter), value) << c;
    }
}

TEST(Hex, AnEscapeThatIsNoneStays) {
    EXPECT_EQ(percent_decoded("a%3Ab%3a"), "a:b:");
    EXPECT_EQ(percent_decoded("%41"), "A");
    EXPECT_EQ(percent_decoded("100%, %4, %zz, %"), "100%, %4, %zz, %");
    EXPECT_EQ(percent_decoded("%25%32%35"), "%25") << "once only";
}

TEST(Base64, TheVectorsOfRfc4648) {
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(base64_encoded(bytes), text);
        std::string back = "before ";
        const std::size_t taken = append_base64_decoded(back, text);
        EXPECT_EQ(back, "before " + std::string(bytes));
        EXPECT_EQ(taken, std::min(std::string_view(text).size(), std::string_view(text).find('=')));
    }
}

TEST(Base64, EveryByteComesBack) {
    std::string bytes;
    for (int c = 0; c < 256; ++c) {
        bytes += static_cast<char>(c);
    }
    std::string back;
    append_base64_decoded(back, base64_encoded(bytes));
    EXPECT_EQ(back, bytes);
}

TEST(Base64, WhatDoesNotBelongEndsIt) {
    std::string out;
    EXPECT_EQ(append_base64_decoded(out, "Zm9v Zm9v"), 4U);
    EXPECT_EQ(out, "foo");
}

}  // namespace
}  // namespace weir::codec
