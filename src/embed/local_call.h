// One call of this process between two threads: the caller's, which waits, and the loop's, which
// serves it as it serves a connection's.
#pragma once

#include "codec/http1.h"
#include "gateway/local_client.h"
#include "net/signal.h"

#include <weir/client.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace weir::embed {

/// A piece of a stream is the loop's memory lent to the caller's thread: the loop reads no more of
/// that answer until the caller has returned it. Whatever happens, the caller's thread stays in
/// follow() until the gateway holds nothing of the call, so that what it lent (the request's body)
/// and what it was lent live long enough.
class LocalCall final : public gateway::LocalClient,
                        public std::enable_shared_from_this<LocalCall> {
public:
    /// `head`: as HTTP/1.1 has it. `body` outlives the call. `pieces`: a good answer is handed on
    /// as it comes; else it is kept whole.
    static Result<std::shared_ptr<LocalCall>> make(net::Loop& loop, std::string head,
                                                   std::string_view body, bool pieces);

    /// Waits for the end on the caller's thread, and hands on pieces there.
    Client::Response follow(const Client::Piece& take);
    /// The client leaves. Any thread, while the caller is in follow().
    void cancel() noexcept;

    // Of the loop's thread.
    const codec::Head& head() const override { return head_; }
    net::Loop& loop() override { return loop_; }
    std::string_view peer() const override { return peer_; }
    bool secure() const override { return true; }
    int http_version() const override { return 11; }
    net::Task<net::NetResult<std::string_view>> read_body() override;
    net::Task<net::NetResult<void>> send(int status, std::string_view fields,
                                         std::string_view body) override;
    net::Task<net::NetResult<void>> begin(int status, std::string_view fields,
                                          std::optional<std::uint64_t> length) override;
    net::Task<net::NetResult<void>> write(std::string_view content) override;
    net::Task<net::NetResult<void>> flush() override;
    net::Task<net::NetResult<void>> end() override;
    void abort() override { aborted_ = true; }
    bool answered() const override { return answered_; }
    void watch(Gone gone, void* context) override;
    void unwatch() override { gone_ = nullptr; }
    void learn(const gateway::Record& record) override;
    void over() override;

    LocalCall(net::Loop& loop, std::string head, std::string_view body, bool pieces);

private:
    void leave();
    void returned(bool more) noexcept;
    void answer(int status, std::string_view fields);
    net::NetResult<void> may_write() const;
    net::Task<net::NetResult<void>> hand_on(std::string_view content);

    net::Loop& loop_;
    std::string text_;  // of the head
    codec::Head head_;
    std::string peer_;

    // The loop's thread alone.
    std::string_view unread_;
    bool pieces_;
    bool answered_ = false;
    bool ended_ = false;
    bool aborted_ = false;
    bool left_ = false;
    Gone gone_ = nullptr;
    void* context_ = nullptr;
    net::Signal taken_;

    // The loop's until over_, then the caller's.
    Client::Response response_;

    std::mutex mutex_;
    std::condition_variable news_;
    std::optional<std::string_view> piece_;  // guarded by mutex_
    bool over_ = false;                      // guarded by mutex_
};

}  // namespace weir::embed
