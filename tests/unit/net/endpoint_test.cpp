#include "net/upstream.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace weir::net {
namespace {

TEST(Endpoint, Parts) {
    const auto plain = Endpoint::parse("http://127.0.0.1:9002/base/");
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->tls);
    EXPECT_EQ(plain->host, "127.0.0.1");
    EXPECT_EQ(plain->port, 9002);
    EXPECT_EQ(plain->path_prefix, "/base");
    EXPECT_EQ(plain->authority, "127.0.0.1:9002");
    const auto bedrock = Endpoint::parse("https://bedrock-runtime.us-east-1.amazonaws.com");
    ASSERT_TRUE(bedrock);
    EXPECT_TRUE(bedrock->tls);
    EXPECT_EQ(bedrock->port, 443);
    EXPECT_EQ(bedrock->authority, "bedrock-runtime.us-east-1.amazonaws.com");
    const auto six = Endpoint::parse("http://[::1]:80");
    ASSERT_TRUE(six);
    EXPECT_EQ(six->host, "::1");
    EXPECT_EQ(six->authority, "[::1]");
}

TEST(Endpoint, WhatIsNoEndpoint) {
    for (const char* url : {"", "ftp://x", "http://", "http://:80", "http://x:0", "http://x:65536",
                            "http://x:", "http://[::1", "http://[x]:1", "http://a b",
                            "http://x/?query", "http://user:secret@x", "http://x\r\n"}) {
        EXPECT_FALSE(Endpoint::parse(url)) << url;
    }
}

TEST(Endpoint, MessagesDoNotRepeatPasswords) {
    for (const char* url : {"http://me:hush@x", "http://me:hu@sh@x:0", "ftp://me:hush@x/y@z",
                            "http://me:hush@", "me:hush@x"}) {
        const std::string as_endpoint = Endpoint::parse(url).error().message;
        const std::string tls = std::string("https") + (std::string(url).substr(4));
        for (const auto& proxy : {std::string(url), tls}) {
            const auto by = Endpoint::parse("https://x.example", {}, proxy);
            const std::string as_proxy = by ? "" : by.error().message;
            for (const std::string& message : {as_endpoint, as_proxy}) {
                EXPECT_FALSE(message.contains("hush") || message.contains("hu@")) << message;
            }
        }
    }
}

TEST(Endpoint, Proxies) {
    const auto told =
        Endpoint::parse("https://x.example", {}, "http://me:p%40ss@proxy.example:3128");
    ASSERT_TRUE(told);
    EXPECT_EQ(told->proxy_host, "proxy.example");
    EXPECT_EQ(told->proxy_port, 3128);
    EXPECT_EQ(told->proxy_authorization, "Basic bWU6cEBzcw==");
    EXPECT_FALSE(Endpoint::parse("https://x.example", {}, "https://proxy.example"));

    ::unsetenv("https_proxy");
    ::setenv("HTTPS_PROXY", "proxy.example:8080", 1);
    ::setenv("NO_PROXY", "other.example, .inner.example", 1);
    EXPECT_EQ(Endpoint::parse("https://x.example")->proxy_host, "proxy.example");
    EXPECT_EQ(Endpoint::parse("http://x.example")->proxy_host, "");
    EXPECT_EQ(Endpoint::parse("https://a.inner.example")->proxy_host, "");
    EXPECT_EQ(Endpoint::parse("https://other.example")->proxy_host, "");
    EXPECT_EQ(Endpoint::parse("https://another.example")->proxy_host, "proxy.example");
    ::unsetenv("HTTPS_PROXY");
    ::unsetenv("NO_PROXY");
}

}  // namespace
}  // namespace weir::net
