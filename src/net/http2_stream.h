// One HTTP/2 request and its answer.
#pragma once

#include "codec/http2_head.h"
#include "net/answer_progress.h"
#include "net/http2_content.h"
#include "net/server_state.h"
#include "net/signal.h"
#include "net/upload.h"
#include "net/watch.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace weir::net {

class Http2Connection;

/// Lives from the first byte of its head to the end of its handler; the client may be long gone by
/// then. Belongs to its connection until its head is complete, then to its own coroutine.
class Http2Stream final : public Downstream {
public:
    Http2Stream(Http2Connection& connection, std::int32_t id);
    ~Http2Stream() override;
    Http2Stream(const Http2Stream&) = delete;
    Http2Stream& operator=(const Http2Stream&) = delete;

    static Task<void> serve(std::unique_ptr<Http2Stream> stream);

    const codec::Head& head() const override { return head_; }
    Loop& loop() override;
    std::string_view peer() const override;
    bool secure() const override;
    int http_version() const override { return 20; }
    Task<NetResult<std::string_view>> read_body() override;
    Task<NetResult<void>> send(int status, std::string_view fields, std::string_view body) override;
    Task<NetResult<void>> begin(int status, std::string_view fields,
                                std::optional<std::uint64_t> length) override;
    Task<NetResult<void>> write(std::string_view content) override;
    Task<NetResult<void>> flush() override;
    Task<NetResult<void>> end() override;
    void abort() override;
    bool answered() const override { return answer_.begun(); }
    void watch(Gone gone, void* context) override;
    void unwatch() override { watch_.clear(); }

private:
    friend class Http2Connection;
    friend class Http2Streams;
    friend struct Http2Events;

    Task<void> finish();
    Task<void> refuse(int status, std::string_view message);
    /// Waits until what is pending has become frames.
    Task<NetResult<void>> hand_over();
    void submit(int status, std::string_view fields, std::optional<std::uint64_t> length,
                bool with_body);
    void resume();
    void reset(std::uint32_t code);
    void close(NetError why);
    void fired();
    void add_body(std::string_view bytes);
    NetFailure broken_with() const;

    Http2Connection* connection_;  // nullptr: destroyed before us, at shutdown
    std::int32_t id_;
    codec::Http2HeadReader reader_;
    codec::Head head_;
    std::size_t trailer_bytes_ = 0;
    std::optional<codec::Http2Error> head_error_;

    Upload upload_;
    Http2Incoming incoming_;
    AnswerProgress answer_;
    std::string fields_;  // of an answer that has begun; goes with its first bytes
    Http2Outgoing outgoing_;
    Signal signal_;
    Timer timer_;
    Watch watch_;
    NetError why_ = NetError::closed;
    bool registered_ = false;  // started: among its connection's live ones
    bool submitted_ = false;   // the answer's head is with nghttp2
    bool closed_ = false;      // nghttp2 has forgotten the stream
    bool reset_ = false;       // by us
    bool timed_out_ = false;
};

}  // namespace weir::net
