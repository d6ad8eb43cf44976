#include "embed/local_call.h"

#include "net/failed.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <utility>

namespace weir::embed {
namespace {

using net::NetError;

/// Each call counts as a connection of its own where memory for messages is shared.
std::string next_peer() {
    static std::atomic<std::uint64_t> calls{0};
    return "in-process:" + std::to_string(calls.fetch_add(1, std::memory_order_relaxed));
}

}  // namespace

LocalCall::LocalCall(net::Loop& loop, std::string head, std::string_view body, bool pieces)
    : loop_(loop),
      text_(std::move(head)),
      peer_(next_peer()),
      unread_(body),
      pieces_(pieces),
      taken_(loop) {}

Result<std::shared_ptr<LocalCall>> LocalCall::make(net::Loop& loop, std::string head,
                                                   std::string_view body, bool pieces) {
    auto call = std::make_shared<LocalCall>(loop, std::move(head), body, pieces);
    codec::HeadReader reader(codec::HeadReader::Side::request);
    const auto read = reader.read(call->text_, call->head_);
    if (!read) {
        return failure("this is no request that HTTP can say: " +
                       std::string(codec::to_string(read.error())));
    }
    if (*read != call->text_.size()) {
        return failure("this is no request that HTTP can say: its head ends early");
    }
    return call;
}

// ---- the caller's thread

Client::Response LocalCall::follow(const Client::Piece& take) {
    std::exception_ptr thrown;
    std::unique_lock lock(mutex_);
    for (;;) {
        news_.wait(lock, [this] { return over_ || piece_; });
        if (over_) {
            break;
        }
        const std::string_view piece = *std::exchange(piece_, std::nullopt);
        lock.unlock();
        bool more = false;
        try {
            more = take(piece);
        } catch (...) {
            thrown = std::current_exception();
        }
        returned(more);
        lock.lock();
    }
    if (thrown) {
        std::rethrow_exception(thrown);
    }
    return std::move(response_);
}

void LocalCall::cancel() noexcept {
    loop_.post([self = shared_from_this()] { self->leave(); });
}

/// Not to tell the loop would leave the call and its memory to nobody: without memory for it the
/// process ends here.
void LocalCall::returned(bool more) noexcept {
    loop_.post([self = shared_from_this(), more] {
        if (!more) {
            self->leave();
        }
        self->taken_.notify();
    });
}

// ---- the loop's thread

void LocalCall::leave() {
    left_ = true;
    if (const Gone gone = std::exchange(gone_, nullptr)) {
        gone(context_);
    }
}

void LocalCall::watch(Gone gone, void* context) {
    gone_ = gone;
    context_ = context;
    if (left_) {  // before anybody watched
        cancel();
    }
}

net::Task<net::NetResult<std::string_view>> LocalCall::read_body() {
    if (left_) {
        co_return std::unexpected(net::failed(NetError::closed));
    }
    co_return std::exchange(unread_, std::string_view());
}

void LocalCall::answer(int status, std::string_view fields) {
    answered_ = true;
    pieces_ = pieces_ && status >= 200 && status < 300;
    while (!fields.empty()) {
        const auto line = fields.substr(0, fields.find("\r\n"));
        const auto colon = line.find(':');
        if (colon != std::string_view::npos) {
            auto value = line.substr(colon + 1);
            value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
            response_.fields.emplace_back(line.substr(0, colon), value);
        }
        fields.remove_prefix(std::min(line.size() + 2, fields.size()));
    }
}

net::NetResult<void> LocalCall::may_write() const {
    if (!answered_ || ended_) {
        return std::unexpected(net::failed(NetError::protocol));
    }
    if (left_ || aborted_) {
        return std::unexpected(net::failed(NetError::closed));
    }
    return {};
}

net::Task<net::NetResult<void>> LocalCall::hand_on(std::string_view content) {
    auto may = may_write();
    if (!may || content.empty()) {
        co_return may;
    }
    if (!pieces_) {
        response_.body += content;
        co_return may;
    }
    {
        const std::scoped_lock lock(mutex_);
        piece_ = content;
    }
    news_.notify_one();
    co_await taken_.wait();
    co_return may_write();
}

net::Task<net::NetResult<void>> LocalCall::send(int status, std::string_view fields,
                                                std::string_view body) {
    if (answered_) {
        co_return std::unexpected(net::failed(NetError::protocol));
    }
    answer(status, fields);
    const auto sent = co_await hand_on(body);
    ended_ = sent.has_value();
    co_return sent;
}

net::Task<net::NetResult<void>> LocalCall::begin(int status, std::string_view fields,
                                                 std::optional<std::uint64_t> /*length*/) {
    if (answered_) {
        co_return std::unexpected(net::failed(NetError::protocol));
    }
    answer(status, fields);
    co_return net::NetResult<void>();
}

net::Task<net::NetResult<void>> LocalCall::write(std::string_view content) {
    co_return co_await hand_on(content);
}

net::Task<net::NetResult<void>> LocalCall::flush() {
    co_return may_write();
}

net::Task<net::NetResult<void>> LocalCall::end() {
    const auto may = may_write();
    ended_ = ended_ || may.has_value();
    co_return may;
}

void LocalCall::learn(const gateway::Record& record) {
    Client::Response& r = response_;
    r.status = record.status;
    r.error = record.error_name;
    r.reason = record.reason;
    r.request_id = record.id;
    r.upstream_request_id = record.upstream_id;
    r.region = record.at.region;
    r.model = record.at.model;
    r.attempts = record.attempts;
    r.queued = record.queued;
    r.degraded = record.begun && record.grant.degraded;
    if (record.usage.known) {
        r.usage = record.usage;
    }
    r.end = ended_  ? Client::AnswerEnd::complete
            : left_ ? Client::AnswerEnd::cancelled
                    : Client::AnswerEnd::cut;
}

void LocalCall::over() {
    const std::scoped_lock lock(mutex_);
    over_ = true;
    news_.notify_one();
}

}  // namespace weir::embed
