// Asks a model once for a whole answer and once for a stream, and says what each call waited for.
//   ask [REGION [ENDPOINT]]     us-east-1 and Bedrock by default
// Before the stand-in, after `weir sim`:
//   AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=example ask us-east-1 http://127.0.0.1:9001
#include <weir/client.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace {

constexpr const char* kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
constexpr const char* kQuestion =
    R"({"messages": [{"role": "user", "content": [{"text": "Name three rivers."}]}],)"
    R"( "inferenceConfig": {"maxTokens": 100}})";

weir::Config configuration(const std::string& region, const std::string& endpoint) {
    weir::Config config;
    config.regions[region].endpoint = endpoint;
    config.default_region = region;
    weir::QuotaConfig quota;  // the account's; a limit that is left out is learned
    quota.models = {kModel};
    quota.requests_per_minute = 200;
    quota.tokens_per_minute = 200'000;
    config.quotas.push_back(quota);
    return config;
}

/// False: there is no good answer.
bool tell(const char* what, const weir::Result<weir::Client::Response>& response) {
    if (!response) {  // wrong use: nothing was sent
        std::fprintf(stderr, "%s: %s\n", what, response.error().message.c_str());
        return false;
    }
    if (!response->ok()) {  // what a gateway would have answered
        std::fprintf(stderr, "%s: %d %s %s\n", what, response->status, response->error.c_str(),
                     response->body.c_str());
        return false;
    }
    std::printf("%s: %s, %u attempt(s), waited %lld ms, %llu tokens in, %llu out\n", what,
                response->region.c_str(), response->attempts,
                static_cast<long long>(weir::to_ms(response->queued)),
                static_cast<unsigned long long>(response->usage ? response->usage->input : 0),
                static_cast<unsigned long long>(response->usage ? response->usage->output : 0));
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    weir::ClientOptions options;
    options.log = [](weir::LogLevel level, std::string_view text) {
        if (level >= weir::LogLevel::warn) {
            std::fprintf(stderr, "weir: %.*s\n", static_cast<int>(text.size()), text.data());
        }
    };
    auto client = weir::Client::create(
        configuration(argc > 1 ? argv[1] : "us-east-1", argc > 2 ? argv[2] : ""), options);
    if (!client) {
        std::fprintf(stderr, "%s\n", client.error().message.c_str());
        return 2;
    }

    const auto answer = client->converse(kModel, kQuestion);
    bool good = tell("converse", answer);
    if (good) {
        std::printf("%s\n", answer->body.c_str());
    }

    int events = 0;
    const auto stream =
        client->converse_stream(kModel, kQuestion, [&](const weir::Client::Event& event) {
            ++events;
            if (event.type == "contentBlockDelta" || event.exception) {
                std::printf("%.*s\n", static_cast<int>(event.payload.size()), event.payload.data());
            }
            return true;  // false ends the call
        });
    good = tell("stream", stream) && good;
    std::printf("%d events\n", events);
    return good ? 0 : 1;
}
