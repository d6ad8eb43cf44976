// `weir check`: files that cannot be used are mistakes, doubtful values are warnings.
#include "cli/check_command.h"

#include "unit/cli/config_support.h"
#include "unit/net/certificates.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::cli {
namespace {

class Checked {
public:
    explicit Checked(const std::string& yaml, bool strict = false) {
        const auto file = std::filesystem::temp_directory_path() /
                          ("weir-check-" + std::to_string(::getpid()) + ".yaml");
        std::ofstream(file) << yaml;
        std::ostringstream out;
        std::ostringstream err;
        code = run_check(file, {}, out, err, strict);
        good = out.str();
        said = err.str();
        std::filesystem::remove(file);
    }
    bool says(const std::string& text) const { return said.find(text) != std::string::npos; }

    int code = 0;
    std::string good;
    std::string said;
};

TEST(Check, FilesThatCannotBeUsedAreMistakes) {
    const net::test::Certificates one("localhost", 1);
    const net::test::Certificates other("localhost", 1);
    const auto tls = [](const std::string& certificate, const std::string& key) {
        return "tls: {certificate: " + certificate + ", key: " + key + "}\n";
    };
    EXPECT_EQ(Checked(tls(one.certificate(), one.key())).code, 0);

    const Checked missing(tls("/nope.pem", "/nope.key"));
    EXPECT_EQ(missing.code, 2);
    EXPECT_TRUE(missing.says(":1:20: cannot read '/nope.pem': No such file")) << missing.said;
    EXPECT_TRUE(missing.says(":1:36: cannot read '/nope.key': No such file")) << missing.said;

    const Checked mixed(tls(one.certificate(), other.key()));
    EXPECT_EQ(mixed.code, 2);
    EXPECT_TRUE(mixed.says(other.key())) << mixed.said;
    EXPECT_TRUE(mixed.says("mismatch")) << mixed.said;

    const auto region = [](const std::string& ca) {
        return "regions:\n  us-east-1: {endpoint: \"https://x\", ca: " + ca + "}\n";
    };
    EXPECT_EQ(Checked(region(one.authority())).code, 0);
    const Checked nowhere(region("/nope.pem"));
    EXPECT_EQ(nowhere.code, 2);
    EXPECT_TRUE(nowhere.says(":2:42: cannot read '/nope.pem'")) << nowhere.said;
    const Checked no_certificate(region(one.key()));
    EXPECT_EQ(no_certificate.code, 2);
    EXPECT_TRUE(no_certificate.says(one.key())) << no_certificate.said;

    const auto shared = [](const std::string& ca) {
        return "shared: {url: \"rediss://x\", ca: " + ca + "}\n";
    };
    EXPECT_EQ(Checked(shared(one.authority())).code, 0);
    EXPECT_TRUE(Checked(shared("/nope.pem")).says(":1:33: cannot read '/nope.pem'"));
}

TEST(Check, AClientWithoutAKeyAmongKeyedOnesIsAMistake) {
    const std::string key(64, 'a');
    const Checked checked("clients:\n- {name: a, key_sha256: [" + key + "]}\n- {name: b}\n");
    EXPECT_EQ(checked.code, 2);
    EXPECT_TRUE(checked.says(":3:3: `b` has no `key_sha256`")) << checked.said;
    EXPECT_EQ(Checked("clients: [{name: a}, {name: b}]\n").code, 0);
}

TEST(Check, WhatIsHardlyMeantIsAWarning) {
    const std::string yaml =
        "regions: {us-east-1: {}, eu-west-1: {}}\n"
        "routes:\n"
        "- model: us.anthropic.claude-x\n"
        "  targets:\n"
        "  - {region: us-east-1}\n"
        "  - {region: eu-west-1}\n"
        "  - {region: eu-west-1, model: eu.anthropic.claude-x}\n"
        "queue: {deadline: 30s, max_wait: 40s, target_wait: 50s}\n";
    const Checked checked(yaml);
    EXPECT_EQ(checked.code, 0) << checked.said;
    EXPECT_NE(checked.good.find("3 warnings"), std::string::npos) << checked.good;
    EXPECT_TRUE(checked.says(":6:14: warning: `us.anthropic.claude-x` is a profile of us"))
        << checked.said;
    EXPECT_TRUE(checked.says(":8:34: warning: is longer than `queue.deadline`")) << checked.said;
    EXPECT_TRUE(checked.says(":8:52: warning: is longer than `queue.max_wait`")) << checked.said;
    EXPECT_EQ(Checked(yaml, true).code, 2);
    EXPECT_EQ(Checked("queue: {max_wait: 10s}\n", true).code, 0);
}

TEST(Check, DefaultsRaiseNoDoubt) {
    EXPECT_TRUE(parse("").complaints.empty());
    EXPECT_TRUE(parse("").warnings.empty());
}

TEST(Check, ABareSubstitutionBetweenBracesIsNamed) {
    const auto said = [](const std::string& yaml) {
        const auto loaded = parse(yaml);
        return loaded.complaints.empty() ? std::string() : to_string(loaded.complaints.front());
    };
    const auto bare = said("credentials: {source: static, secret_access_key: ${NOT_SET}}\n");
    EXPECT_NE(bare.find(":1:50: `${NOT_SET}` needs quotes"), std::string::npos) << bare;
    const auto listed = said("# ${A} '\nlisten:\n  [ \"${B}\", ${C} ]\n");
    EXPECT_NE(listed.find(":3:13: `${C}` needs quotes"), std::string::npos) << listed;
    // Elsewhere a bare one is fine, and other mistakes are called what they are.
    EXPECT_EQ(said("default_region: ${HOME_REGION}\n").find("quotes"), std::string::npos);
    EXPECT_NE(said("listen: [a\n").find("not valid YAML"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
