#include "embed/request_head.h"

#include "embed/local_call.h"

#include <gtest/gtest.h>

namespace weir::embed {
namespace {

using namespace std::chrono_literals;

Client::Request plain() {
    Client::Request request;
    request.model = "us.example.model-v1:0";
    request.body = "{}";
    return request;
}

TEST(RequestHead, SaysWhatTheGatewayReads) {
    Client::Request request = plain();
    request.client = "chat";
    request.priority = Priority::batch;
    request.deadline = 1500ms;
    request.fields = {{"Accept", "application/json"}};
    const auto head = request_head(request);
    ASSERT_TRUE(head);
    EXPECT_EQ(*head,
              "POST /model/us.example.model-v1%3A0/converse HTTP/1.1\r\n"
              "Host: localhost\r\n"
              "Content-Type: application/json\r\n"
              "Content-Length: 2\r\n"
              "x-weir-client: chat\r\n"
              "x-weir-priority: batch\r\n"
              "x-weir-deadline-ms: 1500\r\n"
              "Accept: application/json\r\n\r\n");
}

TEST(RequestHead, AModelIsEncodedWhateverItHolds) {
    Client::Request request = plain();
    request.model = "arn:aws:bedrock:us-east-1::x/y z\r\nEvil: 1";
    const auto head = request_head(request);
    ASSERT_TRUE(head);
    EXPECT_TRUE(head->starts_with(
        "POST /model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Ax%2Fy%20z%0D%0AEvil%3A%201/converse "));
}

TEST(RequestHead, APathTakesThePlaceOfModelAndOperation) {
    Client::Request request;
    request.method = "GET";
    request.path = "/v1/models";
    const auto head = request_head(request);
    ASSERT_TRUE(head);
    EXPECT_TRUE(head->starts_with("GET /v1/models HTTP/1.1\r\n"));
    EXPECT_EQ(head->find("Content-Length"), std::string::npos);
}

TEST(RequestHead, NothingOfTheCallersEndsALine) {
    EXPECT_FALSE(request_head(Client::Request()));
    const std::string bad = "x\r\nEvil: 1";
    for (int i = 0; i < 7; ++i) {
        Client::Request request = plain();
        std::string* const places[] = {&request.client, &request.content_type, &request.method,
                                       &request.operation, &request.path};
        if (i < 5) {
            *places[i] = bad;
        } else {
            request.fields = {i == 5 ? std::pair(bad, std::string("v")) : std::pair("n", bad)};
        }
        EXPECT_FALSE(request_head(request)) << i;
    }
}

TEST(RequestHead, WhatHttpCannotSayIsNoCall) {
    net::Loop loop(0);
    const auto taken = [&](const Client::Request& request) {
        const auto head = request_head(request);
        return head && LocalCall::make(loop, *head, request.body, false);
    };
    EXPECT_TRUE(taken(plain()));
    Client::Request two_lengths = plain();
    two_lengths.fields = {{"Content-Length", "7"}};
    EXPECT_FALSE(taken(two_lengths));
    Client::Request chunked = plain();
    chunked.fields = {{"Transfer-Encoding", "chunked"}};
    EXPECT_FALSE(taken(chunked));
    Client::Request space = plain();
    space.path = "/a b";
    EXPECT_FALSE(taken(space));
    Client::Request name = plain();
    name.fields = {{"a name", "v"}};
    EXPECT_FALSE(taken(name));
}

}  // namespace
}  // namespace weir::embed
