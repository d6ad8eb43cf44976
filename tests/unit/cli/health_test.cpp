// Which address `weir health` asks.

#include "cli/health_command.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

std::string asked(const std::string& listen, const std::string& admin, bool tls = false) {
    Config config;
    config.listen = {listen};
    config.admin = admin;
    if (tls) {
        config.tls = TlsConfig{};
    }
    return health_url(config).value_or("none");
}

TEST(Health, AsksTheAdminPortOrElseTheListener) {
    EXPECT_EQ(asked("127.0.0.1:1", "127.0.0.1:2"), "http://127.0.0.1:2");
    EXPECT_EQ(asked("10.0.0.1:1", ""), "http://10.0.0.1:1");
    EXPECT_EQ(asked("10.0.0.1:1", "", true), "https://10.0.0.1:1");
    EXPECT_EQ(asked("10.0.0.1:1", "10.0.0.1:2", true), "http://10.0.0.1:2");
}

TEST(Health, EveryInterfaceIsAskedAtLoopback) {
    EXPECT_EQ(asked("0.0.0.0:1", ""), "http://127.0.0.1:1");
    EXPECT_EQ(asked("[::]:1", ""), "http://[::1]:1");
    EXPECT_EQ(asked("[2001:db8::1]:1", ""), "http://[2001:db8::1]:1");
}

TEST(Health, APortThatNobodyKnowsIsAnError) {
    EXPECT_EQ(asked("127.0.0.1:0", ""), "none");
    EXPECT_EQ(asked("nonsense", ""), "none");
}

}  // namespace
}  // namespace weir::cli
