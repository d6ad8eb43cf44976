// Profiles that take on roles, and roles of accounts.
#include "world.h"

#include <gtest/gtest.h>

namespace weir::aws {
namespace {

using namespace test;

/// Gives keys named after the role, or turns the call away.
Reply sts_reply(const SeenRequest& request) {
    const std::size_t role = request.text.find("%3Arole%2F");
    const std::string name =
        request.text.substr(role + 10, request.text.find_first_of("& \r", role) - role - 10);
    if (name == "closed") {
        return {403,
                "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
                "<RequestId>r-1</RequestId></ErrorResponse>"};
    }
    if (name == "garbage") {
        return {200, "<AssumeRoleResponse><AssumeRoleResult/></AssumeRoleResponse>"};
    }
    return {200,
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
            "<AssumeRoleResult><Credentials><AccessKeyId>ID-" +
                name + "</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t-" + name +
                "</SessionToken><Expiration>" + timestamp(3600s) +
                "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"};
}

struct Roles : ::testing::Test {
    Roles() : sts(sts_reply) { world.aws.sts = sts.url(); }
    Outcome use(const std::string& config, const std::string& profile = "app") {
        world.file(".aws/config", config);
        world.set("AWS_PROFILE", profile);
        return run(world);
    }
    static std::string role(const std::string& name) { return "arn:aws:iam::1:role/" + name; }

    World world;
    LocalService sts;
};

TEST_F(Roles, ASourceProfilesKeysTakeOnTheRole) {
    world.file(".aws/credentials", "[base]\naws_access_key_id=B\naws_secret_access_key=s\n");
    const Outcome out = use("[profile app]\nrole_arn=" + role("reader") +
                            "\nsource_profile=base\nexternal_id=x/1\nrole_session_name=me\n"
                            "duration_seconds=1800\nregion=eu-west-1\n");
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "ID-reader");
    EXPECT_EQ(out.keys->session_token, "t-reader");
    EXPECT_EQ(out.keys->source, "profile app (role " + role("reader") + " with profile base)");
    const SeenRequest seen = sts.seen().at(0);
    EXPECT_TRUE(seen.has("Action=AssumeRole&")) << seen.text;
    EXPECT_TRUE(seen.has("RoleSessionName=me")) << seen.text;
    EXPECT_TRUE(seen.has("ExternalId=x%2F1")) << seen.text;
    EXPECT_TRUE(seen.has("DurationSeconds=1800")) << seen.text;
    EXPECT_TRUE(seen.has("Credential=B/")) << seen.text;
    EXPECT_TRUE(seen.has("/eu-west-1/sts/aws4_request")) << seen.text;
}

TEST_F(Roles, AChainOfRolesIsFollowedToItsEnd) {
    const Outcome out = use("[profile app]\nrole_arn=" + role("three") +
                            "\nsource_profile=two\n[profile two]\nrole_arn=" + role("two") +
                            "\nsource_profile=one\n[profile one]\naws_access_key_id=A\n"
                            "aws_secret_access_key=s\n");
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "ID-three");
    ASSERT_EQ(sts.seen().size(), 2u);
    EXPECT_TRUE(sts.seen()[0].has("Credential=A/"));
    EXPECT_TRUE(sts.seen()[1].has("Credential=ID-two/"));
    EXPECT_TRUE(sts.seen()[1].has("x-amz-security-token: t-two"));
}

TEST_F(Roles, CirclesAreRefusedExceptKeysBesideTheRole) {
    Outcome out =
        use("[profile app]\nrole_arn=" + role("a") +
            "\nsource_profile=b\n[profile b]\nrole_arn=" + role("b") + "\nsource_profile=app\n");
    EXPECT_EQ(out.keys, nullptr);
    EXPECT_TRUE(contains(out.of("profile"), "its profiles go in a circle: app -> b -> app"));
    out = use("[profile app]\nrole_arn=" + role("a") + "\nsource_profile=app\n");
    EXPECT_TRUE(contains(out.of("profile"), "its profiles go in a circle: app -> app"));
    EXPECT_TRUE(sts.seen().empty());
    out = use("[profile app]\nrole_arn=" + role("a") +
              "\nsource_profile=app\naws_access_key_id=S\naws_secret_access_key=s\n");
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "ID-a");
    EXPECT_TRUE(sts.seen()[0].has("Credential=S/"));
}

TEST_F(Roles, ThePlacesThatAProfileMayName) {
    LocalService agent([](const SeenRequest&) { return Reply{200, json_keys("E", 3600s)}; });
    const auto config = [&](const std::string& place) {
        return "[profile app]\nrole_arn=" + role("r") + "\ncredential_source=" + place + "\n";
    };
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url());
    EXPECT_NE(use(config("EcsContainer")).keys, nullptr);
    EXPECT_TRUE(sts.seen().back().has("Credential=E/"));
    EXPECT_EQ(use(config("Environment")).of("profile"),
              "credential_source Environment: AWS_ACCESS_KEY_ID is not set");
    EXPECT_EQ(use(config("Ec2InstanceMetadata")).of("profile"),
              "credential_source Ec2InstanceMetadata: AWS_EC2_METADATA_DISABLED is true");
    EXPECT_TRUE(contains(use(config("Moon")).of("profile"), "it is unknown; allowed are"));
    // Keys of the environment come first for everybody, unless weir.yaml names the profile.
    world.set("AWS_ACCESS_KEY_ID", "N");
    world.set("AWS_SECRET_ACCESS_KEY", "s");
    world.file(".aws/config", config("Environment"));
    CredentialsConfig named;
    named.profile = "app";
    EXPECT_EQ(run(world, named).keys->access_key_id, "ID-r");
    EXPECT_TRUE(sts.seen().back().has("Credential=N/"));
}

TEST_F(Roles, WhatCannotWorkIsSaidInWords) {
    world.file(".aws/credentials", "[base]\naws_access_key_id=B\naws_secret_access_key=s\n");
    const std::string head = "[profile app]\nrole_arn=" + role("r") + "\n";
    EXPECT_TRUE(contains(
        use(head + "source_profile=base\nmfa_serial=arn:aws:iam::1:mfa/me\n").of("profile"),
        "arn:aws:iam::1:mfa/me (mfa_serial), which a gateway has nobody to ask for"));
    EXPECT_TRUE(contains(use(head).of("profile"), "needs source_profile, credential_source"));
    EXPECT_TRUE(contains(
        use(head + "source_profile=base\ncredential_source=Environment\n").of("profile"), "both"));
    EXPECT_TRUE(contains(use(head + "source_profile=gone\n").of("profile"),
                         "source_profile gone: not in "));
    EXPECT_TRUE(
        contains(use(head + "source_profile=base\nduration_seconds=60\n").of("profile"), "900"));
    EXPECT_TRUE(sts.seen().empty());
}

TEST_F(Roles, WhatStsSaysIsHandedOn) {
    world.file(".aws/credentials", "[base]\naws_access_key_id=B\naws_secret_access_key=s\n");
    const auto config = [&](const std::string& name) {
        return "[profile app]\nrole_arn=" + role(name) + "\nsource_profile=base\n";
    };
    EXPECT_EQ(
        use(config("closed")).of("profile"),
        "AssumeRole of " + role("closed") + ": STS answered 403 AccessDenied: no (request r-1)");
    EXPECT_EQ(use(config("garbage")).of("profile"), "STS's answer has no session token or expiry");
    world.aws.sts = "http://127.0.0.1:1";
    EXPECT_TRUE(contains(use(config("reader")).of("profile"), "http://127.0.0.1:1: "));
}

TEST_F(Roles, AnAccountsRoleIsTakenOnWithTheOthersKeys) {
    std::shared_ptr<const Credentials> base;
    AccountConfig account;
    account.role_arn = role("prod");
    account.external_id = "e";
    CredentialsTiming timing;
    timing.retry_first = 10ms;
    CredentialsProvider provider(
        account, [&base] { return std::atomic_load(&base); }, world.environment(), nullptr, timing);
    provider.start();
    EXPECT_EQ(provider.get(), nullptr);
    EXPECT_TRUE(contains(outcome(provider, "role "), "no credentials to take it on with"));
    auto keys = std::make_shared<Credentials>();
    keys->access_key_id = "BASE";
    keys->secret_access_key = "s";
    std::atomic_store(&base, std::shared_ptr<const Credentials>(keys));
    ASSERT_TRUE(eventually([&] { return provider.get() != nullptr; }));
    EXPECT_EQ(provider.get()->access_key_id, "ID-prod");
    EXPECT_TRUE(sts.seen()[0].has("Credential=BASE/"));
    EXPECT_TRUE(sts.seen()[0].has("ExternalId=e"));
    EXPECT_TRUE(sts.seen()[0].has("RoleSessionName=weir&"));
}

}  // namespace
}  // namespace weir::aws
