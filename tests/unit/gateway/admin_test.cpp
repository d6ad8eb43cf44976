// What the admin port shows, to whom, and what becomes of a reload.
#include "gateway/admin.h"
#include "codec/sigv4.h"
#include "gateway/admin_page.h"
#include "requests.h"

#include <gtest/gtest.h>

#include <openssl/evp.h>

#include <array>

namespace weir::gateway {
namespace {

using namespace test;

/// The admin port of a gateway that is ready, has metrics and a status.
struct Admin {
    Admin() {
        parts.ready = [this] { return ready; };
        parts.metrics = [](bool open) {
            return std::string(open ? "weir_up 1\n# EOF\n" : "weir_up 1\n");
        };
        parts.status = [] { return std::string("{}"); };
        parts.explain = [this](std::string id, std::function<void(ExplainAnswer)> done) {
            asked_for = std::move(id);
            done({asked_for == "known", asked_for == "known" ? "{}" : "weir: nothing is kept"});
        };
        parts.requests = [](std::string_view target,
                            std::function<void(std::string)> done) -> Result<void> {
            if (target != "/requests?limit=1") {
                return failure("weir: no such query");
            }
            done("{}");
            return {};
        };
        parts.reload = [this](std::string_view peer, std::function<void(ReloadAnswer)> done) {
            asked_by = peer;
            done(answer);
        };
    }
    ScriptedClient& ask(std::string text) {
        client.emplace(loop, std::move(text));
        loop.spawn(answer_admin(*client, config, parts));
        while (loop.poll() > 0) {
        }
        return *client;
    }
    int status(std::string text) { return ask(std::move(text)).status; }

    net::Loop loop{0};
    Config config;
    AdminParts parts;
    bool ready = true;
    ReloadAnswer answer;
    std::string asked_by;
    std::string asked_for;
    std::optional<ScriptedClient> client;
};

TEST(Admin, RequestsAreListedWithGet) {
    Admin admin;
    EXPECT_EQ(admin.ask(get("/requests?limit=1")).body, "{}");
    EXPECT_EQ(admin.status(get("/requests?limit=x")), 400);
    EXPECT_EQ(admin.status(post("/requests?limit=1", "")), 405);
    admin.config.admin_key_sha256 = codec::to_hex(codec::sha256("key"));
    EXPECT_EQ(admin.status(get("/requests?limit=1")), 401);
}

TEST(Admin, HealthNeedsNoKeyAndSaysWhetherToComeHere) {
    Admin admin;
    admin.config.admin_key_sha256 = codec::to_hex(codec::sha256("key"));
    EXPECT_EQ(admin.status(get("/healthz")), 200);
    EXPECT_EQ(admin.status(get("/readyz/?x=1")), 200);
    EXPECT_EQ(admin.status(get("/readyz", "", "HEAD")), 200);
    admin.ready = false;
    EXPECT_EQ(admin.status(get("/healthz/")), 200) << "it lives";
    EXPECT_EQ(admin.ask(get("/readyz")).body, "draining\n");
    EXPECT_EQ(admin.client->status, 503);
    EXPECT_EQ(admin.status(post("/healthz", "")), 405);
    EXPECT_NE(admin.client->fields.find("Allow: GET, HEAD\r\n"), std::string::npos);
    EXPECT_EQ(admin.status(get("/readyz", "Origin: http://a\r\n")), 403) << "a web page";
}

TEST(Admin, ARequestIsExplainedByItsId) {
    Admin admin;
    EXPECT_EQ(admin.status(get("/explain/known")), 200);
    EXPECT_EQ(admin.client->body, "{}");
    EXPECT_EQ(admin.status(get("/explain/known?x=1", "", "HEAD")), 200);
    EXPECT_EQ(admin.status(get("/explain/other-1")), 404);
    EXPECT_EQ(admin.asked_for, "other-1");
    EXPECT_NE(admin.client->body.find("nothing is kept"), std::string::npos);
    EXPECT_NE(admin.client->fields.find("ResourceNotFoundException"), std::string::npos);
    EXPECT_EQ(admin.status(post("/explain/known", "")), 405);
    admin.asked_for.clear();
    for (const std::string& odd :
         {std::string("/explain/"), std::string("/explain/a/b"), std::string("/explain/%00"),
          "/explain/" + std::string(200, 'a')}) {
        EXPECT_EQ(admin.status(get(odd)), 400) << odd;
    }
    EXPECT_EQ(admin.asked_for, "");
}

TEST(Admin, OtherPeoplesRequestsNeedTheAdminKey) {
    Admin admin;
    admin.config.admin_key_sha256 = codec::to_hex(codec::sha256("key"));
    admin.config.admin_open = {"metrics", "status", "healthz", "readyz"};
    EXPECT_EQ(admin.status(get("/explain/known")), 401);
    EXPECT_EQ(admin.status(get("/explain/known", "Authorization: Bearer key\r\n")), 200);
    EXPECT_EQ(admin.status(get("/explain/known", "Origin: http://a\r\n")), 403) << "a web page";
}

TEST(Admin, TheRestIsForThisMachineForAKeyOrDeclaredOpen) {
    Admin admin;
    EXPECT_EQ(admin.status(get("/metrics")), 200) << "the port is on loopback";
    EXPECT_EQ(admin.client->body, "weir_up 1\n");
    EXPECT_NE(admin.client->fields.find("version=0.0.4"), std::string::npos);
    EXPECT_EQ(admin.ask(get("/status?pretty")).body, "{}");
    EXPECT_EQ(admin.status(get("/status", "", "HEAD")), 200);
    EXPECT_EQ(admin.status(post("/status", "")), 405);
    EXPECT_EQ(admin.status(get("/elsewhere")), 404);
    EXPECT_EQ(admin.status("GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);

    admin.config.admin = "0.0.0.0:7071";
    EXPECT_EQ(admin.status(get("/status")), 401) << "nobody elsewhere gets in without a key";
    EXPECT_NE(admin.client->fields.find("WWW-Authenticate: Bearer\r\n"), std::string::npos);
    admin.config.admin_open = {"status"};
    EXPECT_EQ(admin.status(get("/status")), 200);
    EXPECT_EQ(admin.status(get("/metrics")), 401);
    admin.config.admin_key_sha256 = codec::to_hex(codec::sha256("key"));
    EXPECT_EQ(admin.status(get("/metrics", "Authorization: Bearer key\r\n")), 200);
    EXPECT_EQ(admin.status(get("/metrics", "Authorization: Bearer other\r\n")), 401);
    admin.config.admin_key_sha256 = "short";
    EXPECT_EQ(admin.status(get("/metrics", "Authorization: Bearer key\r\n")), 401);
}

TEST(Admin, MetricsComeInTheFormatThatIsAskedFor) {
    Admin admin;
    const std::string accept = "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n";
    EXPECT_EQ(admin.ask(get("/metrics", accept)).body, "weir_up 1\n# EOF\n");
    EXPECT_NE(
        admin.client->fields.find("Content-Type: application/openmetrics-text; version=1.0.0"),
        std::string::npos);
    EXPECT_EQ(admin.ask(get("/metrics", "Accept: */*\r\n")).body, "weir_up 1\n");
    EXPECT_NE(admin.client->fields.find("Vary: Accept\r\n"), std::string::npos);
}

TEST(Admin, ThePageNeedsNoKeyAndItsDataDo) {
    Admin admin;
    admin.parts.events = [](net::Downstream& downstream) -> net::Task<void> {
        (void)co_await downstream.send(200, "", "events");
    };
    admin.parts.history = [](net::Downstream& downstream) -> net::Task<void> {
        (void)co_await downstream.send(200, "", "history");
    };
    admin.config.admin_key_sha256 = codec::to_hex(codec::sha256("key"));
    const std::string typed = "Sec-Fetch-Site: none\r\n";
    EXPECT_EQ(admin.status(get("/", typed)), 200);
    EXPECT_EQ(admin.client->body, page_html());
    EXPECT_NE(admin.client->fields.find("Content-Security-Policy: frame-ancestors 'none'; "
                                        "default-src 'none'"),
              std::string::npos);
    EXPECT_EQ(admin.status(get("/", "Sec-Fetch-Site: cross-site\r\n")), 200) << "a bookmark";
    EXPECT_EQ(admin.status("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
    EXPECT_EQ(admin.status(post("/", "")), 405);

    const std::string own = "Sec-Fetch-Site: same-origin\r\n";
    const std::string key = "Authorization: Bearer key\r\n";
    for (const std::string path : {"/events", "/history?span=day"}) {
        EXPECT_EQ(admin.status(get(path, own)), 401) << path;
        EXPECT_EQ(admin.status(get(path, own + key)), 200) << path;
        EXPECT_EQ(admin.status(get(path, key)), 200) << path << ": curl";
        EXPECT_EQ(admin.status(get(path, key + "Sec-Fetch-Site: same-site\r\n")), 403) << path;
        EXPECT_EQ(admin.status(get(path, key + typed)), 403) << path;
        EXPECT_EQ(admin.status(get(path, own + key, "HEAD")), 405) << path;
    }
    admin.parts.events = nullptr;
    EXPECT_EQ(admin.status(get("/events", key)), 404) << "nothing feeds it";
}

TEST(Admin, OnlyItsOwnPageMayChangeSomething) {
    Admin admin;
    const auto from = [&](const std::string& fields) {
        return admin.status(
            "POST /reload HTTP/1.1\r\nHost: 127.0.0.1:7071\r\nContent-Length: 0"
            "\r\n" +
            fields + "\r\n");
    };
    EXPECT_EQ(from("Origin: http://127.0.0.1:7071\r\nSec-Fetch-Site: same-origin\r\n"), 200);
    EXPECT_EQ(from("Origin: http://127.0.0.1:7071\r\n"), 200);
    EXPECT_EQ(from("Origin: https://127.0.0.1:7071\r\n"), 200) << "a proxy with TLS before it";
    EXPECT_EQ(from("Origin: http://127.0.0.1:8080\r\n"), 403);
    EXPECT_EQ(from("Origin: null\r\n"), 403);
    EXPECT_EQ(from("Origin: http://127.0.0.1:7071\r\nSec-Fetch-Site: cross-site\r\n"), 403);
    EXPECT_EQ(from("Sec-Fetch-Site: cross-site\r\n"), 403);
    EXPECT_EQ(from(""), 200) << "no browser";
}

TEST(AdminPage, SendsThePolicyThatItsMetaNames) {
    EXPECT_EQ(page_policy("<head><meta http-equiv=\"Content-Security-Policy\" "
                          "content=\"default-src 'none'; script-src 'sha256-x'\">"),
              "frame-ancestors 'none'; default-src 'none'; script-src 'sha256-x'");
    EXPECT_EQ(page_policy("<p>"), "frame-ancestors 'none'; default-src 'none'");
}

/// The hash that the policy names for what stands between these tags.
std::string hash_between(std::string_view html, std::string_view begin, std::string_view end) {
    const auto from = html.find(begin);
    const auto to = html.find(end, from);
    EXPECT_NE(to, std::string_view::npos) << begin;
    if (to == std::string_view::npos) {
        return {};
    }
    const auto text = html.substr(from + begin.size(), to - from - begin.size());
    const auto digest = codec::sha256(text);
    std::array<unsigned char, 64> out{};
    const int size =
        EVP_EncodeBlock(out.data(), reinterpret_cast<const unsigned char*>(digest.data()),
                        static_cast<int>(digest.size()));
    return "'sha256-" + std::string(out.begin(), out.begin() + size) + "'";
}

TEST(AdminPage, ItsOneScriptAndItsOneStyleAreThoseOfThePolicy) {
    const auto html = page_html();
    const auto policy = page_policy(html);
    EXPECT_NE(
        policy.find("script-src " + hash_between(html, "<script type=\"module\">", "</script>")),
        std::string::npos)
        << policy;
    EXPECT_NE(policy.find("style-src " + hash_between(html, "<style>", "</style>")),
              std::string::npos)
        << policy;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
}

TEST(Admin, AReloadIsAskedForAndItsOutcomeTold) {
    Admin admin;
    admin.answer.hash = "abc";
    admin.answer.applied = {"queue"};
    admin.answer.needs_restart = {"workers"};
    EXPECT_EQ(admin.ask(post("/reload", "")).body,
              R"({"reloaded":true,"configuration":"abc","applied":["queue"],)"
              R"("needs_restart":["workers"]})");
    EXPECT_EQ(admin.asked_by, "192.0.2.1:4711");
    admin.answer.error = "weir.yaml:1:1: no";
    EXPECT_EQ(admin.status(post("/reload", "")), 400);
    EXPECT_EQ(admin.client->body, R"({"message":"weir.yaml:1:1: no"})");
    EXPECT_EQ(admin.status(get("/reload")), 405);
    admin.parts.reload = nullptr;
    EXPECT_EQ(admin.status(post("/reload", "")), 404);
    EXPECT_NE(admin.client->body.find("no file to reload"), std::string::npos);
}

TEST(Admin, OrdersAreTakenWithTheKeyAndTheirAnswersPassedOn) {
    Admin admin;
    EXPECT_EQ(admin.status(get("/targets")), 404) << "not offered";
    std::string seen;
    OrderReply reply;
    admin.parts.order = [&](const OrderText& text) {
        seen = (text.post ? "POST " : "GET ") + std::string(text.path) + " " +
               std::string(text.query) + " " + std::string(text.body);
        return reply;
    };
    reply.body = "{}";
    EXPECT_EQ(admin.status(get("/targets?x=1")), 200);
    EXPECT_EQ(seen, "GET /targets x=1 ");
    EXPECT_EQ(admin.status(post("/targets/close?region=a", R"({"for":"1m"})")), 200);
    EXPECT_EQ(seen, R"(POST /targets/close region=a {"for":"1m"})");
    EXPECT_EQ(admin.status(post("/shed", "")), 200);
    EXPECT_EQ(admin.status(get("/shed")), 405);
    EXPECT_NE(admin.client->fields.find("Allow: POST\r\n"), std::string::npos);
    EXPECT_EQ(admin.status(post("/targets", "")), 405);
    EXPECT_EQ(admin.status(post("/targets/close", std::string(20'000, ' '))), 413);
    reply = {404, "ResourceNotFoundException", "no such target"};
    EXPECT_EQ(admin.status(post("/targets/close", "")), 404);
    EXPECT_EQ(admin.client->body, R"({"message":"no such target"})");
    admin.config.admin_key_sha256 = codec::to_hex(codec::sha256("key"));
    EXPECT_EQ(admin.status(post("/targets/close", "")), 401);
}

TEST(Admin, MessagesOfSnsNeedNoKeyAndAnyHost) {
    Admin admin;
    EXPECT_EQ(admin.status(post("/sns", "")), 404) << "not offered";
    std::shared_ptr<AlarmActions> actions;
    admin.parts.alarms = [&] { return actions; };
    admin.config.admin_key_sha256 = codec::to_hex(codec::sha256("key"));
    EXPECT_EQ(admin.ask("POST /sns HTTP/1.1\r\nHost: weir.example.com\r\n\r\n").body,
              R"({"message":"weir: aws.actions has no action"})");
    EXPECT_EQ(admin.client->status, 404);
    Config config;
    config.aws.actions.emplace_back().topic = "arn:aws:sns:a";
    const auto snapshot = std::make_shared<const Snapshot>(config);
    AlarmActions::Parts parts;
    parts.snapshot = [snapshot] { return snapshot; };
    actions = std::make_shared<AlarmActions>(std::move(parts));
    const std::string fields =
        "x-amz-sns-message-type: Notification\r\nx-amz-sns-topic-arn: arn:aws:sns:a\r\n";
    EXPECT_EQ(admin.status(get("/sns", fields)), 405);
    EXPECT_EQ(admin.status(post("/sns", "{}")), 400) << "no delivery";
    EXPECT_EQ(admin.status(post("/sns", std::string(600'000, 'x'), fields)), 413);
    admin.ask(post("/sns", "{}", fields));
    while (admin.client->status == 0) {
        admin.loop.poll();  // it is read on a thread of its own
    }
    EXPECT_EQ(admin.client->status, 400);
    EXPECT_NE(admin.client->body.find("`Type`"), std::string::npos);
}

}  // namespace
}  // namespace weir::gateway
