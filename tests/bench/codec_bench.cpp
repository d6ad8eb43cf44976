// What the codec costs a request: nanoseconds of processor time a call, the best of several rounds.
#include "codec/eventstream.h"
#include "codec/http1.h"
#include "codec/sigv4.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <vector>

namespace {

using namespace weir::codec;

template <class Work>
void measure(const char* name, Work work) {
    constexpr int kRounds = 20;
    constexpr int kCalls = 20000;
    double best = std::numeric_limits<double>::max();
    for (int round = 0; round < kRounds; ++round) {
        const std::clock_t start = std::clock();
        for (int call = 0; call < kCalls; ++call)
            work();
        const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        best = std::min(best, seconds * 1e9 / kCalls);
    }
    std::printf("%-52s %8.0f ns\n", name, best);
}

/// A result nobody looks at must not let the work be left out.
void must(bool holds) {
    if (!holds)
        std::abort();
}

std::string sdk_head() {
    std::string head;
    append_request_line(head, "POST",
                        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse");
    append_field(head, "Host", "bedrock-runtime.us-east-1.amazonaws.com");
    append_field(head, "Accept-Encoding", "identity");
    append_field(head, "Content-Type", "application/json");
    append_field(head, "User-Agent",
                 "Boto3/1.44.0 md/Botocore#1.44.0 ua/2.1 os/linux#6.1 md/arch#x86_64 "
                 "lang/python#3.11.2 md/pyimpl#CPython m/Z,b cfg/retry-mode#standard");
    append_field(head, "X-Amz-Date", "20261124T000000Z");
    append_field(head, "X-Amz-Security-Token", std::string(700, 'T'));
    append_field(head, "Authorization",
                 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/us-east-1/bedrock/aws4_request, "
                 "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=" +
                     std::string(64, 'f'));
    append_field(head, "amz-sdk-invocation-id", "9f3c1f0e-7a54-4a3e-9f6e-0d0b8f9b1c55");
    append_field(head, "amz-sdk-request", "attempt=1; max=3");
    append_field(head, "Content-Length", "1500");
    head += "\r\n";
    return head;
}

}  // namespace

int main() {
    const std::string head_bytes = sdk_head();
    std::printf("request head of %zu bytes\n", head_bytes.size());
    Head head;
    measure("http1: read it", [&] {
        HeadReader reader(HeadReader::Side::request);
        must(reader.read(head_bytes, head) == head_bytes.size());
    });

    std::string chunk;
    append_chunk(chunk, std::string(1000, 'x'));
    BodyReader body(Framing::chunked, 0);
    measure("http1: a chunk of 1000 bytes", [&] {
        std::string_view rest = chunk;
        while (!rest.empty())
            rest.remove_prefix(body.next(rest)->consumed);
    });

    std::string event;
    const std::vector<EventHeader> event_headers{
        {":event-type", std::string_view("contentBlockDelta")},
        {":content-type", std::string_view("application/json")},
        {":message-type", std::string_view("event")}};
    append_event(event, event_headers,
                 R"({"contentBlockIndex":0,"delta":{"text":" and"},"p":"abcdefghijklmnopqrs"})");
    EventMessage message;
    measure("eventstream: a text delta", [&] { must(read_event(event, message) == event.size()); });
    std::string large;
    append_event(large, event_headers, std::string(64 << 10, 'x'));
    measure("eventstream: 64 KiB", [&] { must(read_event(large, message) == large.size()); });

    const std::string payload(2048, 'p');
    measure("sha256: 2 KiB", [&] { must(sha256(payload)[0] != 1 || !payload.empty()); });
    Signer signer("bedrock");
    const SigningCredentials credentials{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                         std::string(700, 'T')};
    const SigningCredentials static_credentials{credentials.access_key_id,
                                                credentials.secret_access_key, ""};
    const std::vector<Field> headers{{"host", "bedrock-runtime.us-east-1.amazonaws.com"},
                                     {"content-type", "application/json"}};
    const std::string_view target =
        "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
    const auto sign = [&](const SigningCredentials& with) {
        const SigningRequest request{"POST", target, headers, sha256(payload)};
        must(signer.sign(request, with, "us-east-1", 1440938160).signature.size() == 64);
    };
    measure("sigv4: a body of 2 KiB hashed and signed", [&] { sign(static_credentials); });
    measure("sigv4: the same with a session token of 700 bytes", [&] { sign(credentials); });
}
