#include "gateway/reply.h"

#include "gateway/dialect.h"
#include "gateway/request.h"

#include <utility>

namespace weir::gateway {

using observe::Outcome;

void Reply::note(const ErrorAnswer& error) {
    record_.outcome = error.outcome;
    record_.reason = error.reason;
    record_.error_name = error.type;
}

net::Task<void> Reply::error(ErrorAnswer plain) {
    const ErrorAnswer error = in_dialect(request_.dialect, std::move(plain));
    note(error);
    if (client_.answered()) {
        co_return co_await end_stream(error);
    }
    std::string fields;
    append_error_fields(fields, error);
    append_request_id(fields, request_.dialect, record_.id);
    append_weir_fields(fields, record_, false);
    const std::string body = error_body(request_.dialect, error, record_.id);
    co_await send(error.status, fields, body);
}

/// The head of a stream is with the client already: the error is the stream's end.
net::Task<void> Reply::end_stream(const ErrorAnswer& error) {
    const std::string event = error_event(request_.operation(), error);
    auto sent = co_await client_.write(event);
    if (sent) {
        sent = co_await client_.end();
    }
    if (!sent) {
        not_taken(sent.error());
        client_.abort();
    }
}

net::Task<void> Reply::as_it_came(const KeptAnswer& kept) {
    const ErrorAnswer like = remembered_answer(kept.failure);
    record_.outcome = like.outcome;
    record_.error_name = like.type;
    std::string fields = kept.fields;
    if (kept.status == 429 || kept.status == 503) {
        // weir has tried what there was: the SDK's own tries are in vain
        codec::append_field(fields, "x-should-retry", "false");
    }
    append_weir_fields(fields, record_, false);
    co_await send(kept.status, fields, kept.body);
}

net::Task<void> Reply::good(int status, std::string fields, std::string_view body) {
    record_.begun = true;
    append_weir_fields(fields, record_, true);
    co_await send(status, fields, body);
}

net::Task<void> Reply::send(int status, std::string_view fields, std::string_view body) {
    record_.status = status;
    const auto sent = co_await client_.send(status, fields, body);
    if (!sent) {
        not_taken(sent.error());
    }
}

void Reply::not_taken(const net::NetFailure& failure) {
    record_.outcome = stop_.drained                             ? Outcome::drained
                      : failure.error == net::NetError::timeout ? Outcome::client_slow
                                                                : Outcome::cancelled;
}

void Reply::nobody_left() {
    record_.outcome = stop_.drained ? Outcome::drained : Outcome::cancelled;
    if (record_.status == 0) {
        record_.status = 499;
    }
    if (stop_.gone && !client_.answered()) {
        client_.abort();  // else the server would answer 500
    }
}

void Reply::cut(const ErrorAnswer& why) {
    record_.outcome = why.outcome;
    record_.error_name = why.type;
}

}  // namespace weir::gateway
