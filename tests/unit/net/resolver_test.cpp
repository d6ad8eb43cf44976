#include "net/resolver.h"

#include "unit/net/support.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>

namespace weir::net::test {
namespace {

Addresses addresses(const std::vector<std::string>& texts) {
    Addresses made;
    for (const auto& text : texts) {
        made.push_back(Address::parse(text).value());
    }
    return made;
}

/// A name server under the test's thumb, with a clock.
struct NameServer {
    std::mutex mutex;
    Addresses now_known;
    int asked = 0;
    std::atomic<std::int64_t> clock{0};
    Resolver resolver{[this](const std::string&) {
                          const std::scoped_lock lock(mutex);
                          ++asked;
                          return now_known;
                      },
                      [this] { return Instant(seconds(clock.load())); }};

    void know(const Addresses& what) {
        const std::scoped_lock lock(mutex);
        now_known = what;
    }
    int lookups() {
        const std::scoped_lock lock(mutex);
        return asked;
    }
    Addresses ask() {
        std::atomic<bool> done{false};
        Addresses result;
        resolver.resolve("some.name", [&](const Addresses& found) {
            result = found;
            done = true;
        });
        EXPECT_TRUE(eventually([&] { return done.load(); }));
        return result;
    }
};

TEST(Resolver, RemembersForHalfAMinute) {
    NameServer dns;
    dns.know(addresses({"10.0.0.1"}));
    EXPECT_EQ(dns.ask(), addresses({"10.0.0.1"}));
    dns.know(addresses({"10.0.0.2"}));
    dns.clock = 29;
    EXPECT_EQ(dns.ask(), addresses({"10.0.0.1"}));
    EXPECT_EQ(dns.lookups(), 1);
    dns.clock = 31;
    dns.ask();  // old, but it asks
    EXPECT_TRUE(eventually([&] { return dns.ask() == addresses({"10.0.0.2"}); }));
    EXPECT_EQ(dns.lookups(), 2);
}

TEST(Resolver, AnAnswerThatDoesNotDoIsAskedForAnew) {
    NameServer dns;
    dns.know(addresses({"10.0.0.1"}));
    EXPECT_EQ(dns.ask(), addresses({"10.0.0.1"}));
    dns.know(addresses({"10.0.0.2"}));
    dns.resolver.expire("some.name");
    dns.resolver.expire("another.name");
    dns.ask();  // still the old one, perhaps
    EXPECT_TRUE(eventually([&] { return dns.ask() == addresses({"10.0.0.2"}); }));
    EXPECT_EQ(dns.lookups(), 2);
}

TEST(Resolver, OldAnswersOutliveAFailingServer) {
    NameServer dns;
    dns.know(addresses({"10.0.0.1"}));
    dns.ask();
    dns.know({});
    dns.clock = 3600;
    EXPECT_EQ(dns.ask(), addresses({"10.0.0.1"}));
    EXPECT_TRUE(eventually([&] { return dns.lookups() == 2; }));
    EXPECT_EQ(dns.ask(), addresses({"10.0.0.1"}));
}

TEST(Resolver, FailureIsNotRemembered) {
    NameServer dns;
    EXPECT_TRUE(dns.ask().empty());
    dns.know(addresses({"10.0.0.1"}));
    EXPECT_EQ(dns.ask(), addresses({"10.0.0.1"}));
}

TEST(Resolver, FamiliesAlternate) {
    NameServer dns;
    dns.know(addresses({"::1", "::2", "::3", "10.0.0.1"}));
    EXPECT_EQ(dns.ask(), addresses({"::1", "10.0.0.1", "::2", "::3"}));
}

TEST(Resolver, AddressesNeedNoServer) {
    NameServer dns;
    for (const char* text : {"127.0.0.1", "::1"}) {
        Addresses result;
        dns.resolver.resolve(text, [&](const Addresses& found) { result = found; });
        EXPECT_EQ(result, addresses({text}));
    }
    EXPECT_EQ(dns.lookups(), 0);
}

}  // namespace
}  // namespace weir::net::test
