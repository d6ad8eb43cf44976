#include "policy/store_url.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

TEST(StoreUrl, IsTakenApart) {
    const auto plain = parse_store_url("redis://cache");
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->tls);
    EXPECT_EQ(plain->host, "cache");
    EXPECT_EQ(plain->port, 6379);
    EXPECT_EQ(plain->user + plain->password, "");
    EXPECT_EQ(plain->database, 0U);

    const auto whole = parse_store_url("rediss://we%3air:p@ss:w/r#d%41%zz@[::1]:7000/12");
    ASSERT_TRUE(whole);
    EXPECT_TRUE(whole->tls);
    EXPECT_EQ(whole->host, "::1");
    EXPECT_EQ(whole->port, 7000);
    EXPECT_EQ(whole->user, "we:ir");
    EXPECT_EQ(whole->password, "p@ss:w/r#dA%zz");
    EXPECT_EQ(whole->database, 12U);

    const auto alone = parse_store_url("redis://:secret@10.0.0.1/");
    ASSERT_TRUE(alone);
    EXPECT_EQ(alone->user, "");
    EXPECT_EQ(alone->password, "secret");
    EXPECT_EQ(alone->database, 0U);
}

TEST(StoreUrl, ErrorsSayWhatIsAllowedAndShowNoSecret) {
    const std::pair<std::string_view, std::string_view> wrong[] = {
        {"", "is missing"},
        {"cache:6379", "must begin with"},
        {"unix:///run/redis.sock", "must begin with"},
        {"http://secret@cache", "must begin with"},
        {"redis://", "no host"},
        {"redis://u:secret@", "no host"},
        {"redis://u:secret@:6379", "no host"},
        {"redis://u:secret@ca che", "no name"},
        {"redis://u:secret@a:b:c", "port"},
        {"redis://u:secret@cache:", "port"},
        {"redis://u:secret@cache:0", "port"},
        {"redis://u:secret@cache:65536", "port"},
        {"redis://u:secret@cache:+1", "port"},
        {"redis://u:secret@cache/one", "database"},
        {"redis://u:secret@cache/70000", "database"},
        {"redis://u:secret@cache/1?a=b", "database"},
        {"redis://u:secret@[::1", "']'"},
        {"redis://u:secret@[::1]6379", "between"},
        {"redis://secret@cache", "password before"},
        {"redis://secret:@cache", "password before"},
    };
    for (const auto& [url, words] : wrong) {
        SCOPED_TRACE(url);
        const auto parsed = parse_store_url(url);
        ASSERT_FALSE(parsed);
        EXPECT_NE(parsed.error().message.find(words), std::string::npos) << parsed.error().message;
        EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos);
    }
}

}  // namespace
}  // namespace weir::policy
