// One HTTP/1.1 connection from a client: its requests, one after the other.
#pragma once

#include "net/answer_progress.h"
#include "net/connection.h"
#include "net/upload.h"

#include <memory>
#include <optional>
#include <string>

namespace weir::net {

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// Between requests it holds no buffer. The next request is parsed only after the answer before it
/// has ended. A request or an answer that is not complete ends the connection.
class Http1Connection final : public Downstream, public Speaker {
public:
    explicit Http1Connection(Connection& connection);
    ~Http1Connection() override;
    Http1Connection(const Http1Connection&) = delete;
    Http1Connection& operator=(const Http1Connection&) = delete;

    /// True: the client speaks HTTP/2 instead, and what it has sent is in take_buffer().
    Task<bool> run();
    ReadBuffer take_buffer() { return std::move(buffer_); }
    void drain() override;

    const codec::Head& head() const override { return head_; }
    Loop& loop() override { return connection_.home().loop; }
    std::string_view peer() const override { return connection_.peer(); }
    bool secure() const override { return stream_.secure(); }
    int http_version() const override { return head_.minor_version == 0 ? 10 : 11; }
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
    void unwatch() override { stream_.unwatch(); }
    void reassure(Duration every) override;

private:
    /// How the client finds the end of an answer's content.
    enum class Framing : std::uint8_t { length, chunked, until_close };

    struct Interim {
        Timer timer;
        Duration every;
    };

    Task<bool> next_request();
    Task<bool> wait_for_bytes();
    /// 0: a head was read; -1: the connection is over; else the status of the error answer.
    Task<int> read_head(std::string& message);
    Task<bool> finish_request();
    Task<void> refuse(int status, std::string message);
    Task<void> linger();
    Task<NetResult<void>> put(std::string_view content, std::string_view tail);
    void append_head(int status, std::string_view fields, std::optional<std::uint64_t> length);
    void send_interim();
    void recycle();

    Connection& connection_;
    std::shared_ptr<ServerState> state_;
    Stream& stream_;

    ReadBuffer buffer_;       // the head, and the bytes read with it
    ReadBuffer body_buffer_;  // later bytes: the head's views must stay
    codec::HeadReader reader_;
    codec::Head head_;
    codec::BodyReader body_;
    Upload upload_;  // of body_
    AnswerProgress answer_;
    Framing framing_ = Framing::length;
    std::string out_;  // bytes of ours not yet sent: a head, a chunk's size, an interim's rest
    std::unique_ptr<Interim> interim_;  // only with timeouts.interim_100
    bool served_any_ = false;
    bool idle_ = false;
    bool close_ = false;   // after this answer
    bool broken_ = false;  // nothing more can be written
    bool drain_woke_ = false;
    bool http2_ = false;
};

}  // namespace weir::net
