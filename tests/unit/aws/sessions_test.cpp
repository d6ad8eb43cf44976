// Sessions that the aws CLI began: SSO and `aws login`.
#include "aws/token_cache.h"
#include "codec/base64.h"
#include "codec/proof_key.h"
#include "world.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <algorithm>

namespace weir::aws {
namespace {

using namespace test;
using Json = nlohmann::json;

constexpr const char* kSession =
    "[default]\nsso_session=corp\nsso_account_id=111122223333\nsso_role_name=Dev\n"
    "[sso-session corp]\nsso_region=eu-west-1\nsso_start_url=https://corp.awsapps.com/start\n";

std::string role_keys(std::chrono::seconds life) {
    const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(
        (std::chrono::system_clock::now() + life).time_since_epoch());
    return R"({"roleCredentials":{"accessKeyId":"S","secretAccessKey":"s","sessionToken":"t",)"
           R"("expiration":)" +
           std::to_string(at.count()) + "}}";
}

/// The portal and sso-oidc in one.
struct Sso : ::testing::Test {
    Sso()
        : service([this](const SeenRequest& request) {
              if (request.path == "/token") {
                  return oidc;
              }
              return request.has("x-amz-sso_bearer_token: " + good_token)
                         ? portal
                         : Reply{401, R"({"message":"Session token not found or invalid"})"};
          }) {
        world.aws.sso = world.aws.oidc = service.url();
        world.file(".aws/config", kSession);
    }
    std::string put(const std::string& session, std::chrono::seconds left, Json more = {}) {
        Json token{{"startUrl", "https://corp.awsapps.com/start"},
                   {"region", "eu-west-1"},
                   {"accessToken", "old"},
                   {"expiresAt", timestamp(left)},
                   {"clientId", "id"},
                   {"clientSecret", "hush"},
                   {"registrationExpiresAt", timestamp(86400s)},
                   {"refreshToken", "again"},
                   {"kept", true}};
        token.update(more.is_null() ? Json::object() : more);
        return world.file(".aws/sso/cache/" + codec::sha1_hex(session) + ".json", token.dump());
    }

    World world;
    std::string good_token = "old";
    Reply portal{200, role_keys(3600s)};
    Reply oidc{400, R"({"error":"invalid_grant","error_description":"no"})"};
    LocalService service;
};

TEST_F(Sso, ASessionsTokenGivesTheRolesKeys) {
    put("corp", 7200s);
    const Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "S");
    EXPECT_EQ(out.keys->source, "profile default (SSO)");
    EXPECT_EQ(service.seen().at(0).path,
              "/federation/credentials?role_name=Dev&account_id=111122223333");
    EXPECT_FALSE(service.seen()[0].has("uthorization"));
}

TEST_F(Sso, TheOlderFormGoesByItsStartUrl) {
    world.file(".aws/config",
               "[default]\nsso_account_id=1\nsso_role_name=Dev\nsso_region=eu-west-1\n"
               "sso_start_url=https://old/start\n");
    put("https://old/start", 100s);  // near its end: this form has no way to renew it
    EXPECT_EQ(run(world).keys->access_key_id, "S");
    put("https://old/start", -1s);
    const Outcome out = run(world);
    EXPECT_EQ(out.of("profile"), "its SSO session is over; run `aws sso login --profile default`");
    EXPECT_EQ(service.seen().size(), 1u);
}

TEST_F(Sso, ATokenNearItsEndIsRenewedAndWrittenBack) {
    const std::string path = put("corp", 600s);
    good_token = "new";
    oidc = {200, R"({"accessToken":"new","expiresIn":3600,"refreshToken":"next"})"};
    const Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    const SeenRequest asked = service.seen().at(0);
    const Json body = Json::parse(asked.text.substr(asked.text.find("\r\n\r\n") + 4));
    EXPECT_EQ(body, (Json{{"grantType", "refresh_token"},
                          {"clientId", "id"},
                          {"clientSecret", "hush"},
                          {"refreshToken", "again"}}));
    const auto kept = read_token(path);
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_EQ((*kept)["accessToken"], "new");
    EXPECT_EQ((*kept)["refreshToken"], "next");
    EXPECT_EQ((*kept)["clientSecret"], "hush");
    EXPECT_EQ((*kept)["kept"], true);
    struct stat state{};
    ASSERT_EQ(::stat(path.c_str(), &state), 0);
    EXPECT_EQ(state.st_mode & 0777, 0600u);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& file :
         std::filesystem::directory_iterator(world.home() + "/.aws/sso/cache")) {
        ++files;
    }
    EXPECT_EQ(files, 1u) << "nothing half-written is left";
}

TEST_F(Sso, AFailedRenewalDoesNoHarmWhileTheTokenLasts) {
    put("corp", 600s);
    EXPECT_EQ(run(world).keys->access_key_id, "S");
    put("corp", -60s);
    const Outcome out = run(world);
    EXPECT_EQ(out.keys, nullptr);
    EXPECT_TRUE(contains(out.of("profile"), "its SSO session is over and could not be renewed: "));
    EXPECT_TRUE(contains(out.of("profile"), "answered 400 invalid_grant: no"));
    EXPECT_FALSE(contains(out.log, "hush"));
    EXPECT_FALSE(contains(out.log, "again\""));
}

TEST_F(Sso, WhatIsAmissIsSaidInWords) {
    EXPECT_TRUE(contains(run(world).of("profile"), "there is no SSO token: no such file"));
    EXPECT_TRUE(contains(run(world).of("profile"), "run `aws sso login --profile default`"));
    const std::string path = put("corp", 3600s);
    world.file(".aws/sso/cache/" + codec::sha1_hex("corp") + ".json", R"({"accessToken":"ol)");
    EXPECT_TRUE(contains(run(world).of("profile"), path + " is not a JSON object"));
    put("corp", 3600s, {{"accessToken", ""}});
    EXPECT_TRUE(contains(run(world).of("profile"), "is not whole"));
    put("corp", 3600s, {{"accessToken", "revoked"}});
    EXPECT_TRUE(contains(run(world).of("profile"), "answered 401 Session token not found"));
    put("corp", 3600s);
    portal = {403, R"({"message":"No access"})"};
    EXPECT_EQ(run(world).of("profile"), "GetRoleCredentials answered 403 No access");
    portal = {200, "<html>"};
    EXPECT_EQ(run(world).of("profile"), "GetRoleCredentials gave no keys");
    world.file(".aws/config", "[default]\nsso_session=gone\nsso_account_id=1\nsso_role_name=D\n");
    EXPECT_TRUE(contains(run(world).of("profile"), "sso_session gone is not in "));
    world.file(".aws/config", "[default]\nsso_account_id=1\nsso_role_name=D\n");
    EXPECT_EQ(run(world).of("profile"), "its SSO settings lack sso_start_url, sso_region");
}

std::string plain(std::string text) {
    std::ranges::replace(text, '-', '+');
    std::ranges::replace(text, '_', '/');
    text.append((4 - text.size() % 4) % 4, '=');
    std::string out;
    codec::append_base64_decoded(out, text);
    return out;
}

struct Login : ::testing::Test {
    Login() : key(EVP_EC_gen("P-256")), service([this](const SeenRequest&) { return signin; }) {
        world.aws.signin = service.url();
        world.file(".aws/config", "[default]\nlogin_session=arn:aws:iam::1:user/me\n");
        BIO* bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PrivateKey_traditional(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
        char* data = nullptr;
        const long size = BIO_get_mem_data(bio, &data);
        pem.assign(data, static_cast<std::size_t>(size));
        BIO_free(bio);
    }
    ~Login() override { EVP_PKEY_free(key); }

    std::string put(std::chrono::seconds left) {
        const Json token{{"accessToken",
                          {{"accessKeyId", "L1"},
                           {"secretAccessKey", "s"},
                           {"sessionToken", "t"},
                           {"accountId", "1"},
                           {"expiresAt", timestamp(left)}}},
                         {"refreshToken", "again"},
                         {"dpopKey", pem},
                         {"clientId", "arn:aws:signin:::devtools/same-device"}};
        return world.file(
            ".aws/login/cache/" + codec::sha256_hex("arn:aws:iam::1:user/me") + ".json",
            token.dump());
    }
    bool verifies(const std::string& proof) const {
        const std::size_t dot = proof.rfind('.');
        const std::string halves = plain(proof.substr(dot + 1));
        if (halves.size() != 64) {
            return false;
        }
        const auto* raw = reinterpret_cast<const unsigned char*>(halves.data());
        ECDSA_SIG* signature = ECDSA_SIG_new();
        ECDSA_SIG_set0(signature, BN_bin2bn(raw, 32, nullptr), BN_bin2bn(raw + 32, 32, nullptr));
        unsigned char* der = nullptr;
        const int size = i2d_ECDSA_SIG(signature, &der);
        ECDSA_SIG_free(signature);
        EVP_MD_CTX* context = EVP_MD_CTX_new();
        EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key);
        const int good =
            EVP_DigestVerify(context, der, static_cast<std::size_t>(size),
                             reinterpret_cast<const unsigned char*>(proof.data()), dot);
        EVP_MD_CTX_free(context);
        OPENSSL_free(der);
        return good == 1;
    }

    EVP_PKEY* key;
    std::string pem;
    World world;
    Reply signin{500, ""};
    LocalService service;
};

TEST_F(Login, TheKeysOfTheSessionAreUsedAsTheyAreWhileTheyLast) {
    put(600s);
    const Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "L1");
    EXPECT_EQ(out.keys->source, "profile default (aws login)");
    EXPECT_TRUE(service.seen().empty());
}

TEST_F(Login, NearTheirEndTheyAreRenewedWithAProofOfTheSessionsKey) {
    const std::string path = put(60s);
    signin = {200,
              R"({"accessToken":{"accessKeyId":"L2","secretAccessKey":"s","sessionToken":"t2"},)"
              R"("tokenType":"aws_sigv4","expiresIn":900,"refreshToken":"next"})"};
    const Outcome out = run(world);
    ASSERT_NE(out.keys, nullptr) << out.log;
    EXPECT_EQ(out.keys->access_key_id, "L2");
    const SeenRequest asked = service.seen().at(0);
    EXPECT_EQ(asked.path, "/v1/token");
    const std::size_t at = asked.text.find("DPoP: ") + 6;
    const std::string proof = asked.text.substr(at, asked.text.find("\r\n", at) - at);
    EXPECT_TRUE(verifies(proof)) << proof;
    const Json head = Json::parse(plain(proof.substr(0, proof.find('.'))));
    EXPECT_EQ(head["alg"], "ES256");
    EXPECT_EQ(head["typ"], "dpop+jwt");
    const std::string rest = proof.substr(proof.find('.') + 1);
    const Json claims = Json::parse(plain(rest.substr(0, rest.find('.'))));
    EXPECT_EQ(claims["htu"], service.url() + "/v1/token");
    EXPECT_EQ(claims["htm"], "POST");
    const auto kept = read_token(path);
    ASSERT_TRUE(kept);
    EXPECT_EQ((*kept)["accessToken"]["accessKeyId"], "L2");
    EXPECT_EQ((*kept)["accessToken"]["accountId"], "1");
    EXPECT_EQ((*kept)["refreshToken"], "next");
    EXPECT_EQ((*kept)["dpopKey"], pem);
}

TEST_F(Login, WhatIsAmissIsSaidInWords) {
    EXPECT_TRUE(contains(run(world).of("profile"), "there is no login session: no such file"));
    put(-60s);
    signin = {403, R"({"error":"TOKEN_EXPIRED","message":"sign in again"})"};
    Outcome out = run(world);
    EXPECT_TRUE(contains(out.of("profile"), "answered 403 TOKEN_EXPIRED sign in again"));
    EXPECT_TRUE(contains(out.of("profile"), "run `aws login --profile default`"));
    pem = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
    put(-60s);
    EXPECT_TRUE(contains(run(world).of("profile"), "its dpopKey is not a key on P-256"));
    put(100s);
    EXPECT_EQ(run(world).keys->access_key_id, "L1") << "still good, though not for long";
}

}  // namespace
}  // namespace weir::aws
