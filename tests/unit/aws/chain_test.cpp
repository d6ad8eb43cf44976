// Each source alone, and their order.
#include "world.h"

#include <gtest/gtest.h>

namespace weir::aws {
namespace {

using namespace test;

TEST(Chain, SaysOfEachSourceWhyItGaveNothing) {
    World world;
    Outcome out = run(world);
    EXPECT_EQ(out.keys, nullptr);
    ASSERT_EQ(out.reports.size(), 5u);
    EXPECT_EQ(out.of("environment"), "AWS_ACCESS_KEY_ID is not set");
    EXPECT_EQ(out.of("web identity"), "AWS_WEB_IDENTITY_TOKEN_FILE is not set");
    EXPECT_TRUE(contains(out.of("profile default"), ".aws/credentials"));
    EXPECT_TRUE(contains(out.of("container"), "not set"));
    EXPECT_EQ(out.of("IMDS"), "AWS_EC2_METADATA_DISABLED is true");
    EXPECT_TRUE(contains(out.log, "no credentials; environment: AWS_ACCESS_KEY_ID is not set; "));
}

TEST(Chain, EnvironmentComesFirstAndLeavesTheRestUntried) {
    World world;
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "secret\n");
    world.set("AWS_SESSION_TOKEN", "token");
    world.file(".aws/credentials", "[default]\naws_access_key_id=F\naws_secret_access_key=s\n");
    Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr);
    EXPECT_EQ(out.keys->access_key_id, "AKID");
    EXPECT_EQ(out.keys->secret_access_key, "secret");
    EXPECT_EQ(out.keys->session_token, "token");
    EXPECT_EQ(out.of("environment"), "used");
    EXPECT_EQ(out.of("profile"), "not tried");
    EXPECT_EQ(out.log.find("secret"), std::string::npos);
}

TEST(Chain, AHalfSetEnvironmentIsAnErrorNotAReasonToBeSomebodyElse) {
    World world;
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.file(".aws/credentials", "[default]\naws_access_key_id=F\naws_secret_access_key=s\n");
    Outcome out = run(world);
    EXPECT_EQ(out.keys, nullptr);
    EXPECT_TRUE(contains(out.of("environment"), "AWS_SECRET_ACCESS_KEY is not"));
}

TEST(Chain, ABedrockKeyIsPreferred) {
    World world;
    world.set("AWS_BEARER_TOKEN_BEDROCK", "ABSKabc=");
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "secret");
    EXPECT_EQ(run(world).keys->bearer_token, "ABSKabc=");
    CredentialsConfig config;
    config.source = CredentialsSource::bearer;
    EXPECT_EQ(run(world, config).keys->bearer_token, "ABSKabc=");
    config.bearer_token = "mine";
    EXPECT_EQ(run(world, config).keys->bearer_token, "mine");
}

TEST(Chain, StaticKeysAloneAndTheCallersOwn) {
    World world;
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "secret");
    CredentialsConfig config;
    config.source = CredentialsSource::static_keys;
    config.access_key_id = "mine";
    config.secret_access_key = "s";
    EXPECT_EQ(run(world, config).keys->access_key_id, "mine");
    config.secret_access_key = "has blank";
    EXPECT_EQ(run(world, config).keys, nullptr);
    config.source = CredentialsSource::client_bearer;
    Outcome out = run(world, config);
    EXPECT_EQ(out.keys, nullptr);
    EXPECT_EQ(out.reports.size(), 1u);
}

TEST(Profile, CredentialsFileThenConfigFile) {
    World world;
    world.file(
        ".aws/config",
        "[profile dev]\naws_access_key_id=C\naws_secret_access_key=s\n[default]\nregion=x\n");
    world.set("AWS_PROFILE", "dev");
    EXPECT_EQ(run(world).keys->access_key_id, "C");
    world.file(".aws/credentials", "[dev]\naws_access_key_id=F\naws_secret_access_key=s\n");
    Outcome out = run(world);
    EXPECT_EQ(out.keys->access_key_id, "F");
    EXPECT_EQ(out.keys->source, "profile dev");
}

TEST(Profile, OneThatIsAskedForMustExist) {
    World world;
    world.set("AWS_PROFILE", "dve");
    world.set("AWS_SHARED_CREDENTIALS_FILE", world.file("keys", "[dev]\n"));
    Outcome out = run(world);
    EXPECT_TRUE(contains(out.of("profile dve"), "not in "));
    EXPECT_EQ(out.of("IMDS"), "not tried");
}

TEST(Profile, OneOfTheConfigurationOverridesTheEnvironment) {
    World world;
    world.set("AWS_ACCESS_KEY_ID", "AKID");
    world.set("AWS_SECRET_ACCESS_KEY", "secret");
    world.file(".aws/credentials", "[dev]\naws_access_key_id=F\naws_secret_access_key=s\n");
    CredentialsConfig config;
    config.profile = "dev";
    EXPECT_EQ(run(world, config).keys->access_key_id, "F");
}

TEST(Profile, RunsItsCredentialProcess) {
    World world;
    std::string script =
        world.file("tool.sh",
                   "echo '{\"Version\":1,\"AccessKeyId\":\"P\",\"SecretAccessKey\":\"s\","
                   "\"SessionToken\":\"t\",\"Expiration\":\"" +
                       timestamp(3600s) + "\"}'\n");
    world.file(".aws/config", "[default]\ncredential_process = sh \"" + script + "\"\n");
    Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "P");
    EXPECT_EQ(out.keys->session_token, "t");
    EXPECT_TRUE(out.keys->expiry.has_value());
    world.file(".aws/config", "[default]\ncredential_process = echo broken\n");
    EXPECT_EQ(run(world).of("profile"), "credential_process: the answer is not a JSON object");
}

std::string sts_answer(std::chrono::seconds life) {
    return "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
           "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>W</AccessKeyId>"
           "<SecretAccessKey>s/+=</SecretAccessKey><SessionToken>t</SessionToken><Expiration>" +
           timestamp(life) +
           "</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
           "</AssumeRoleWithWebIdentityResponse>";
}

TEST(WebIdentity, TradesTheTokenAtSts) {
    LocalService sts([](const SeenRequest&) { return Reply{200, sts_answer(3600s)}; });
    World world;
    world.aws.sts = sts.url();
    world.set("AWS_ROLE_ARN", "arn:aws:iam::1:role/r");
    world.set("AWS_ROLE_SESSION_NAME", "me");
    world.set("AWS_WEB_IDENTITY_TOKEN_FILE", world.file("token", "ey.J+/=\n"));
    Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "W");
    EXPECT_EQ(out.keys->secret_access_key, "s/+=");
    ASSERT_EQ(sts.seen().size(), 1u);
    EXPECT_EQ(sts.seen()[0].method, "POST");
    EXPECT_TRUE(sts.seen()[0].has(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole"
        "%2Fr&RoleSessionName=me&WebIdentityToken=ey.J%2B%2F%3D"));
    EXPECT_FALSE(sts.seen()[0].has("Authorization"));
}

TEST(WebIdentity, InAProfileAndRefused) {
    LocalService sts([](const SeenRequest&) {
        return Reply{403,
                     "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized"
                     "</Message></Error></ErrorResponse>"};
    });
    World world;
    world.aws.sts = sts.url();
    world.file(".aws/config", "[default]\nrole_arn=arn:r\nweb_identity_token_file=" +
                                  world.file("token", "x") + "\n");
    EXPECT_EQ(run(world).of("profile"),
              "AssumeRoleWithWebIdentity of arn:r: STS answered 403 AccessDenied: Not authorized");
}

TEST(Container, AsksWithTheTokenOfTheFile) {
    LocalService agent([](const SeenRequest& request) {
        return request.has("Authorization: Bearer abc\r\n") ? Reply{200, json_keys("E", 3600s)}
                                                            : Reply{401, "no"};
    });
    World world;
    world.container = agent.url();
    world.set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1");
    EXPECT_TRUE(contains(run(world).of("container"), "answered 401 no"));
    EXPECT_EQ(agent.seen().size(), 1u);  // a refusal is not asked again
    world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong");
    world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world.file("token", "Bearer abc\n"));
    Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "E");
    EXPECT_EQ(agent.seen().back().path, "/v2/credentials/1");
    world.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", world.file("token", "a\nX-Evil: b"));
    EXPECT_TRUE(contains(run(world).of("container"), "control character"));
}

TEST(Container, AFullUriMayBePlainOnlyOnTheHostItself) {
    LocalService agent([](const SeenRequest&) { return Reply{200, json_keys("E", 3600s)}; });
    World world;
    world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url() + "/get");
    EXPECT_EQ(run(world).keys->access_key_id, "E");
    for (const char* bad : {"http://example.com/get", "http://127.example.com/", "ftp://127.0.0.1/",
                            "http://169.254.169.254/", "nonsense url"}) {
        world.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad);
        Outcome out = run(world);
        EXPECT_EQ(out.keys, nullptr) << bad;
        EXPECT_TRUE(contains(out.of("container"), "FULL_URI")) << out.log;
    }
}

Reply imds(const SeenRequest& request) {
    if (request.method == "PUT" && request.path == "/latest/api/token" &&
        request.has("x-aws-ec2-metadata-token-ttl-seconds: 21600")) {
        return {200, "session"};
    }
    if (!request.has("x-aws-ec2-metadata-token: session\r\n")) {
        return {401, ""};
    }
    return request.path.ends_with("/web") ? Reply{200, json_keys("I", 3600s)} : Reply{200, "web\n"};
}

TEST(Imds, TokenThenRoleThenKeys) {
    LocalService service(imds);
    World world;
    world.set("AWS_EC2_METADATA_DISABLED", "false");
    world.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url() + "/");
    Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "I");
    EXPECT_EQ(out.keys->source, "IMDS role web");
}

TEST(Imds, VersionOneOnlyWhereItIsAllowedInSoManyWords) {
    LocalService service([](const SeenRequest& request) {
        if (request.method == "PUT") {
            return Reply{404, ""};
        }
        return request.path.ends_with("/web") ? Reply{200, json_keys("I1", 3600s)}
                                              : Reply{200, "web"};
    });
    World world;
    world.set("AWS_EC2_METADATA_DISABLED", "");
    world.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url());
    for (const char* disabled : {"", "true", "yes"}) {
        world.set("AWS_EC2_METADATA_V1_DISABLED", disabled);
        EXPECT_EQ(run(world).keys, nullptr) << disabled;
    }
    world.set("AWS_EC2_METADATA_V1_DISABLED", "false");
    EXPECT_EQ(run(world).keys->access_key_id, "I1");
    world.set("AWS_EC2_METADATA_V1_DISABLED", "");
    world.file(".aws/config", "[default]\nec2_metadata_v1_disabled = False\n");
    EXPECT_EQ(run(world).keys->access_key_id, "I1");
}

TEST(Imds, NeverFallsBackToVersionOneByItself) {
    LocalService service([](const SeenRequest& request) {
        return request.method == "PUT" ? Reply{404, ""} : Reply{200, "web"};
    });
    World world;
    world.set("AWS_EC2_METADATA_DISABLED", "");
    world.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url());
    EXPECT_TRUE(contains(run(world).of("IMDS"), "IMDSv1 is not used"));
    EXPECT_EQ(service.seen().size(), 1u);
}

TEST(Imds, ALostTokenAnswerNamesTheHopLimit) {
    // A port that nobody listens on: what a dropped answer looks like, only faster.
    World world;
    world.set("AWS_EC2_METADATA_DISABLED", "");
    world.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
    EXPECT_TRUE(contains(run(world).of("IMDS"), "hop limit"));
}

}  // namespace
}  // namespace weir::aws
