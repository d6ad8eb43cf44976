// One request on its way in, and the clients that may send it.
#pragma once

#include "bedrock/model_data.h"
#include "codec/sigv4.h"
#include "requests.h"
#include "unit/given.h"

#include <gtest/gtest.h>

#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway::test {

constexpr std::int64_t kWhen = 1'700'000'000;  // 2023-11-14T22:13:20Z
constexpr std::string_view kElsewhere =
    "arn:aws:bedrock:us-west-2:1:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// chat: a key, few models, one Region. etl: a pair to sign with, everything.
inline Config two_clients() {
    Config config = two_regions();
    config.models = bedrock::builtin_models();
    ClientConfig chat;
    chat.name = "chat";
    chat.key_sha256 = {codec::to_hex(codec::sha256("chat-key"))};
    chat.models = {"us.anthropic.*", "rerank-*"};
    chat.regions = {"us-east-1"};
    chat.priority = Priority::batch;
    ClientConfig etl;
    etl.name = "etl";
    etl.access_key_id = "WEIRETL";
    etl.secret_access_key = "secret";
    config.clients = {chat, etl};
    return config;
}

inline Config anybody() {
    Config config = two_regions();
    config.models = bedrock::builtin_models();
    return config;
}

constexpr std::string_view kChat = "Authorization: Bearer chat-key\r\n";

inline std::string converse_of(std::string_view model, std::string_view fields = {},
                               std::string_view body = "{}") {
    return post("/model/" + std::string(model) + "/converse", body, fields);
}

/// The fields of a signature by etl's pair. `over`: the body that it is for.
inline std::string signed_fields(std::string_view target, std::string_view over, bool says_digest,
                                 const std::string& service = "bedrock") {
    codec::Signer signer(service);
    const codec::Field fields[] = {{"host", "localhost"}, {"content-type", "application/json"}};
    codec::SigningOptions options;
    options.sign_body_header = says_digest;
    const auto& made = signer.sign({"POST", target, fields, codec::sha256(over)},
                                   {"WEIRETL", "secret", {}}, "us-east-1", kWhen, options);
    std::string out =
        "Authorization: " + made.authorization + "\r\nX-Amz-Date: " + made.amz_date + "\r\n";
    return says_digest ? out + "x-amz-content-sha256: " + made.content_sha256 + "\r\n" : out;
}

/// One request on its way in.
struct Asked {
    Asked(const Config& config, std::string text) : world(config), client(world.loop, text) {
        world.worker->shared.responses.remember("resp_chat", made("us-east-1", "chat", kSonnet));
        world.worker->shared.responses.remember("resp_west", made("us-west-2", "chat", kSonnet));
        world.worker->shared.responses.remember("resp_etl", made("us-east-1", "etl", kSonnet));
        world.worker->shared.responses.remember("resp_gone", made("eu-west-9", "chat", kSonnet));
        world.worker->shared.responses.remember("resp_nova", made("us-east-1", "chat", "nova"));
        request.emplace(world.snapshot, client, world.shared.buffered);
    }
    static ResponseMemory::Made made(std::string_view region, std::string_view client,
                                     std::string_view model) {
        ResponseMemory::Made made;
        made.region = region;
        made.client = client;
        made.model = model;
        made.tokens = 1000;
        return made;
    }
    Admitted admit() {
        if (auto head = admit_head(*request, *world.worker, kWhen); !head) {
            return head;
        }
        const auto body = run(world.loop, read_body(*request, client, *world.worker));
        if (!body) {
            ADD_FAILURE() << "the body does not come";
        } else if (!*body) {
            return *body;
        }
        return admit_body(*request, *world.worker);
    }
    std::expected<Call, ErrorAnswer> call() {
        const Admitted admitted = admit();
        EXPECT_TRUE(admitted) << admitted.error().message;
        return to_call(*request, *world.worker, CallId(), Instant());
    }

    World world;
    ScriptedClient client;
    std::optional<Request> request;
};

struct Row {
    std::string request;
    int status;  // 0: admitted
    std::string_view words;
    std::string_view reason = {};
};

inline void expect_each(const Config& config, std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
        SCOPED_TRACE(row.request.substr(0, 400));
        Asked asked(config, row.request);
        const Admitted admitted = asked.admit();
        if (row.status == 0) {
            EXPECT_TRUE(admitted) << admitted.error().message;
            continue;
        }
        ASSERT_FALSE(admitted);
        EXPECT_EQ(admitted.error().status, row.status) << admitted.error().message;
        EXPECT_NE(admitted.error().message.find(row.words), std::string::npos)
            << admitted.error().message;
        EXPECT_EQ(admitted.error().reason, row.reason);
    }
}

}  // namespace weir::gateway::test
