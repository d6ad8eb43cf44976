#include "gateway/sns_endpoint.h"

#include "gateway/answer.h"
#include "gateway/pending.h"

#include <utility>

namespace weir::gateway {
namespace {

constexpr std::size_t kLongestMessage = 512UL << 10;  // 256 KiB at SNS, and what JSON adds

net::Task<void> answer(net::Downstream& downstream, const OrderReply& reply) {
    if (reply.status == 200) {
        co_await downstream.send(200, "Content-Type: application/json\r\n", reply.body);
        co_return;
    }
    ErrorAnswer error;
    error.status = reply.status;
    error.type = reply.type;
    error.message = reply.body;
    std::string fields;
    append_error_fields(fields, error);
    const auto body = error_body(error.message);
    co_await downstream.send(reply.status, fields, body);
}

std::string_view field(const codec::Head& head, std::string_view name) {
    const std::string_view* found = head.find(name);
    return found == nullptr ? std::string_view() : *found;
}

/// The place that admit() gave goes back unless the message is handed on.
class Admission {
public:
    explicit Admission(AlarmActions& actions) : actions_(&actions) {}
    ~Admission() {
        if (actions_ != nullptr) {
            actions_->done();
        }
    }
    Admission(const Admission&) = delete;
    Admission& operator=(const Admission&) = delete;
    void handed_on() { actions_ = nullptr; }

private:
    AlarmActions* actions_;
};

}  // namespace

net::Task<void> answer_sns(net::Downstream& downstream, std::shared_ptr<AlarmActions> actions) {
    const auto& head = downstream.head();
    OrderReply reply;
    if (actions == nullptr) {
        reply = {404, "ResourceNotFoundException", "weir: aws.actions has no action"};
    } else if (head.method != "POST") {
        reply = {405, "ValidationException", "weir: SNS delivers with POST"};
    } else if (auto refused = actions->admit(field(head, "x-amz-sns-message-type"),
                                             field(head, "x-amz-sns-topic-arn"),
                                             field(head, "x-amz-sns-rawdelivery") == "true")) {
        reply = std::move(*refused);
    } else {
        Admission admission(*actions);
        std::string body;
        for (;;) {
            const auto piece = co_await downstream.read_body();
            if (!piece) {
                co_return;
            }
            if (piece->empty()) {
                break;
            }
            if (body.size() + piece->size() > kLongestMessage) {
                reply = {413, "ValidationException", "weir: no message of SNS is this long"};
                break;
            }
            body.append(*piece);
        }
        if (reply.status == 200) {
            const auto pending = std::make_shared<Pending<OrderReply>>(downstream.loop());
            auto done = answer_to(pending, downstream.loop());
            admission.handed_on();
            actions->take(std::move(body), std::move(done));
            co_await pending->done.wait();
            reply = std::move(pending->answer);
        }
    }
    co_await answer(downstream, reply);
}

}  // namespace weir::gateway
