// The whole stand-in over real sockets: signatures, streams, faults, clients that leave.
#include "simulator/simulator.h"

#include "codec/sigv4.h"
#include "net/address.h"
#include "net/socket.h"
#include "simulator/faults.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sys/socket.h>

#include <array>
#include <chrono>
#include <functional>
#include <thread>

namespace weir::simulator {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr std::string_view kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr std::string_view kPath = "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/";

bool eventually(const std::function<bool()>& condition) {
    const auto patience = std::chrono::steady_clock::now() + 5s;
    while (std::chrono::steady_clock::now() < patience) {
        if (condition()) {
            return true;
        }
        std::this_thread::sleep_for(2ms);
    }
    return condition();
}

class Sockets : public ::testing::Test {
protected:
    void open(bool verify = false) {
        Settings settings;
        settings.regions = {{"us-east-1", "127.0.0.1:0"}, {"us-west-2", "127.0.0.1:0"}};
        settings.admin = "127.0.0.1:0";
        settings.verify = verify;
        settings.seed = 5;
        ModelSettings model;
        model.time_to_first_token = 1ms;
        model.tokens_per_second = 5'000;
        settings.models.emplace("*", model);
        loop_ = std::make_unique<net::Loop>(0);
        sim_ = std::make_unique<Simulator>(std::vector{loop_.get()}, settings);
        const auto started = sim_->start();
        ASSERT_TRUE(started) << started.error().message;
        loop_->start();
    }
    void TearDown() override {
        if (sim_) {
            sim_->stop();
            loop_->stop();
            loop_->join();
            sim_.reset();
        }
    }

    static net::Socket connect(std::uint16_t port) {
        net::Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto to = net::Address::parse("127.0.0.1", port);
        EXPECT_EQ(::connect(socket.descriptor(), to->data(), to->size()), 0);
        return socket;
    }
    static void write(const net::Socket& socket, std::string_view bytes) {
        EXPECT_EQ(::send(socket.descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(bytes.size()));
    }
    static std::string request(std::string_view method, std::string_view path,
                               std::string_view body, std::string_view extra = {}) {
        return std::string(method) + " " + std::string(path) +
               " HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n" + std::string(extra) +
               "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    }
    static std::string prompt(std::string_view text) {
        return Json{{"messages", Json::array({{{"role", "user"},
                                               {"content", Json::array({{{"text", text}}})}}})}}
            .dump();
    }
    /// Everything the server says until it closes.
    std::string ask(std::uint16_t port, const std::string& bytes) {
        const auto socket = connect(port);
        write(socket, bytes);
        std::string answer;
        std::array<char, 16384> block{};
        for (;;) {
            const auto got = ::recv(socket.descriptor(), block.data(), block.size(), 0);
            if (got <= 0) {
                return answer;
            }
            answer.append(block.data(), static_cast<std::size_t>(got));
        }
    }
    std::string converse(std::string_view text, std::string_view operation = "converse") {
        return ask(sim_->port("us-east-1"),
                   request("POST", std::string(kPath) + std::string(operation), prompt(text)));
    }
    static std::string body_of(const std::string& answer) {
        const auto end = answer.find("\r\n\r\n");
        return end == std::string::npos ? std::string() : answer.substr(end + 4);
    }
    Truth truth() { return sim_->truth()["us-east-1"][std::string(kModel)]; }

    std::unique_ptr<net::Loop> loop_;
    std::unique_ptr<Simulator> sim_;
};

TEST_F(Sockets, AnswersAndKeepsTheBooks) {
    open();
    const std::string answer = converse("hello [[output=12]]");
    ASSERT_TRUE(answer.starts_with("HTTP/1.1 200")) << answer;
    EXPECT_EQ(Json::parse(body_of(answer))["usage"]["outputTokens"], 12);
    EXPECT_TRUE(eventually([&] { return truth().delivered == 1; }));
    const std::string books = body_of(ask(sim_->admin_port(), request("GET", "/truth", "")));
    EXPECT_EQ(Json::parse(books)["us-east-1"][kModel]["delivered"], 1);
    const Json calls =
        Json::parse(body_of(ask(sim_->admin_port(), request("GET", "/history", ""))))["us-east-1"];
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_EQ(calls[0]["model"], kModel);
    EXPECT_EQ(calls[0]["refused"], false);
    EXPECT_LT(calls[0]["cost"], calls[0]["held"]) << "it wrote less than it might have";
    EXPECT_GE(calls[0]["settled_at"], calls[0]["at"]);
}

TEST_F(Sockets, AClientThatLeavesIsCancelledAtOnce) {
    open();
    for (const std::string_view operation : {"converse", "converse-stream"}) {
        const std::uint64_t before = truth().cancelled;
        auto socket = connect(sim_->port("us-east-1"));
        const std::string bytes = request("POST", std::string(kPath) + std::string(operation),
                                          prompt("[[ttft=20ms]] [[output=60000]] [[rate=100]]"));
        write(socket, bytes);
        ASSERT_TRUE(eventually([&] { return truth().in_flight == 1; }));
        std::this_thread::sleep_for(60ms);
        socket.close();
        EXPECT_TRUE(eventually([&] { return truth().cancelled == before + 1; })) << operation;
        EXPECT_EQ(truth().in_flight, 0U);
        EXPECT_LT(truth().output_tokens, 10'000U) << "only what had been produced";
    }
}

TEST_F(Sockets, HangsUntilTheClientLeaves) {
    open();
    auto socket = connect(sim_->port("us-east-1"));
    write(socket, request("POST", std::string(kPath) + "converse", prompt("[[fault=hang]]")));
    ASSERT_TRUE(eventually([&] { return truth().in_flight == 1; }));
    socket.close();
    EXPECT_TRUE(eventually([&] { return truth().broken == 1; }));
}

TEST_F(Sockets, StopsWithCallsUnderWay) {
    open();
    auto hanging = connect(sim_->port("us-east-1"));
    write(hanging, request("POST", std::string(kPath) + "converse", prompt("[[fault=hang]]")));
    auto streaming = connect(sim_->port("us-east-1"));
    write(streaming, request("POST", std::string(kPath) + "converse-stream",
                             prompt("[[output=60000]] [[rate=50]]")));
    ASSERT_TRUE(eventually([&] { return truth().in_flight == 2; }));
    const auto before = std::chrono::steady_clock::now();
    TearDown();
    sim_.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 900ms);
}

TEST_F(Sockets, EveryFaultEndsItsCall) {
    open();
    for (int i = 0; i <= static_cast<int>(FaultKind::slow); ++i) {
        const auto kind = static_cast<FaultKind>(i);
        if (kind == FaultKind::hang) {
            continue;
        }
        const std::string text = "[[output=40]] [[fault=" + std::string(to_string(kind)) + "]]";
        for (const std::string_view operation : {"converse", "converse-stream"}) {
            const std::string answer = converse(text, operation);
            const bool nothing = kind == FaultKind::reset;
            EXPECT_EQ(answer.empty(), nothing) << to_string(kind) << answer;
        }
    }
    const bool settled = eventually([&] {
        const Truth now = truth();
        return now.in_flight == 0 && now.delivered == 2;
    });
    EXPECT_TRUE(settled) << "`slow` alone is delivered";
}

TEST_F(Sockets, FaultsComeAndGoByTheAdminPort) {
    open();
    const std::string fault =
        R"({"kind": "unavailable", "region": "us-east-1", "relative": true, "from": 0, "to": 60})";
    const std::string taken = ask(sim_->admin_port(), request("POST", "/faults", fault));
    ASSERT_TRUE(taken.starts_with("HTTP/1.1 200")) << taken;
    EXPECT_TRUE(converse("x").starts_with("HTTP/1.1 503"));
    EXPECT_TRUE(ask(sim_->admin_port(), request("DELETE", "/faults", "")).ends_with("[]\n"));
    EXPECT_TRUE(converse("[[output=1]]").starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(ask(sim_->admin_port(), request("POST", "/faults", R"({"kind": "quake"})"))
                    .starts_with("HTTP/1.1 400"));
    EXPECT_TRUE(ask(sim_->admin_port(), request("GET", "/", "")).starts_with("HTTP/1.1 404"));
}

TEST_F(Sockets, VerifiesSignatures) {
    open(true);
    const std::string path = std::string(kPath) + "converse";
    const std::string body = prompt("hello [[output=2]]");
    const auto signed_call = [&](std::string_view secret, std::string_view region, std::int64_t off,
                                 std::string_view token) {
        codec::Signer signer("bedrock");
        const codec::Field fields[] = {{"host", "sim"}, {"content-type", "application/json"}};
        const codec::SigningCredentials credentials{.access_key_id = "AKIDEXAMPLE",
                                                    .secret_access_key = std::string(secret),
                                                    .session_token = std::string(token)};
        const std::int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count();
        const auto signature = signer.sign(
            {.method = "POST", .target = path, .headers = fields, .body = codec::sha256(body)},
            credentials, region, now + off);
        std::string extra = "Content-Type: application/json\r\nX-Amz-Date: " + signature.amz_date +
                            "\r\nAuthorization: " + signature.authorization + "\r\n";
        if (!token.empty()) {
            extra += "X-Amz-Security-Token: " + std::string(token) + "\r\n";
        }
        return ask(sim_->port("us-east-1"), request("POST", path, body, extra));
    };
    const auto refused_as = [](const std::string& answer, std::string_view type) {
        return answer.starts_with("HTTP/1.1 403") &&
               answer.find("x-amzn-ErrorType: " + std::string(type)) != std::string::npos;
    };
    EXPECT_TRUE(signed_call("example", "us-east-1", 0, "").starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(signed_call("example", "us-east-1", -200, "").starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(signed_call("example", "us-east-1", 0, "good").starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(
        refused_as(signed_call("example", "us-east-1", 0, "expired"), "ExpiredTokenException"));
    EXPECT_TRUE(refused_as(signed_call("wrong", "us-east-1", 0, ""), "InvalidSignatureException"));
    EXPECT_TRUE(
        refused_as(signed_call("example", "us-west-2", 0, ""), "InvalidSignatureException"));
    EXPECT_TRUE(
        refused_as(signed_call("example", "us-east-1", -400, ""), "InvalidSignatureException"));
    EXPECT_TRUE(refused_as(converse("x"), "MissingAuthenticationTokenException"));
    EXPECT_TRUE(ask(sim_->port("us-east-1"),
                    request("POST", path, body, "Authorization: Bearer example\r\n"))
                    .starts_with("HTTP/1.1 200"));
    EXPECT_TRUE(refused_as(
        ask(sim_->port("us-east-1"), request("POST", path, body, "Authorization: Bearer no\r\n")),
        "AccessDeniedException"));
    EXPECT_TRUE(
        refused_as(ask(sim_->port("us-east-1"),
                       request("POST", path, body, "Authorization: AWS4-HMAC-SHA256 x\r\n")),
                   "IncompleteSignatureException"));
}

TEST_F(Sockets, RefusesTooLongABodyInWords) {
    open();
    std::string body;
    body.resize(25'000'001, 'x');
    const std::string answer =
        ask(sim_->port("us-east-1"), request("POST", std::string(kPath) + "converse", body));
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400")) << answer.substr(0, 200);
    EXPECT_NE(answer.find("25000000"), std::string::npos);
}

}  // namespace
}  // namespace weir::simulator
