// weir inside a C++ program: the gateway's path of a request without a second process. The program
// hands requests in and gets answers; engine, queue, retries, routes, signing and connections are
// those of `weir serve`. CMake: find_package(weir COMPONENTS client), target weir::client.
#pragma once

#include <weir/config.h>
#include <weir/engine.h>
#include <weir/result.h>
#include <weir/time.h>
#include <weir/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

struct ClientOptions {
    /// Called on weir's own threads: it must not call the Client, and returns soon. Empty: no log.
    LogSink log;
    /// Feeds jitter; unset: random.
    std::optional<std::uint64_t> seed;
};

/// An engine with its threads and its connections to Bedrock.
///
/// Thread-safe: any number of threads may call send(), stream() and the rest at once, each blocked
/// for as long as its own call takes. Create one for the process: two Clients count the same quota
/// twice. A program that forks creates it after the fork.
///
/// Every call ends in a Response, refusals and failed connections included, with the status and
/// error that the gateway gives its clients. The error of a Result means wrong use (a line break in
/// a field, no model) or a Client that was stopped; nothing was sent then.
class Client {
public:
    /// Field names in any case.
    using Fields = std::vector<std::pair<std::string, std::string>>;

    /// One request.
    struct Request {
        std::string model;  ///< id, ARN or alias, as in Bedrock's path
        /// `converse`, `converse-stream`, `invoke`, `invoke-with-response-stream`, `count-tokens`:
        /// the last part of Bedrock's path.
        std::string operation = "converse";
        /// Set: the whole path, in place of model and operation: `/openai/v1/chat/completions`,
        /// say.
        std::string path;
        std::string method = "POST";
        std::string body;  ///< as the operation takes it; limits.max_body bounds it
        std::string content_type = "application/json";
        std::string client;                ///< one of `clients`, or any name; empty: nobody's
        std::optional<Priority> priority;  ///< unset: the client's; lower than that, never higher
        /// The complete answer, or a stream's first content, within this time from now, or a 504. 1
        /// ms to 1 h, in whole milliseconds; unset: queue.deadline, which no answer under way
        /// minds.
        std::optional<Duration> deadline;
        Fields fields;  ///< more header fields: guardrail, anthropic-version, amz-sdk-invocation-id
    };

    /// How an answer ended.
    enum class AnswerEnd : std::uint8_t {
        complete,   ///< all of it came; of a stream, its last event, which may be an exception
        cut,        ///< it broke off where no event can say so
        cancelled,  ///< by the caller
    };

    /// What a gateway would have answered. A refusal is a Response too: `status` 429, `error`
    /// ThrottlingException, the reason in `body`.
    struct Response {
        int status = 0;  ///< of HTTP; 499: cancelled before an answer had begun
        AnswerEnd end = AnswerEnd::cut;
        std::string error;   ///< Bedrock's exact exception name, within a stream too; empty: none
        std::string reason;  ///< of a refusal by weir: quota, deadline, queue_full, ...
        Fields fields;       ///< of the answer
        std::string body;    ///< empty for a stream that went to a callback
        std::string request_id;           ///< weir's own
        std::string upstream_request_id;  ///< Bedrock's; empty: it was not reached
        std::string region;               ///< of the last attempt; empty: none
        std::string model;                ///< of the last attempt
        std::uint32_t attempts = 0;
        Duration queued{};           ///< spent waiting for quota and pauses
        bool degraded = false;       ///< a fallback model answered
        std::optional<Usage> usage;  ///< as the service reported it

        bool ok() const {
            return status >= 200 && status < 300 && end == AnswerEnd::complete && error.empty();
        }
        /// The first of that name, in any case; empty: there is none.
        std::string_view field(std::string_view name) const;
    };

    /// One event of a stream of Converse or InvokeModel.
    struct Event {
        std::string_view type;  ///< contentBlockDelta, chunk, ...; of an exception its name
        std::string_view payload;
        bool exception = false;  ///< the stream has failed, and ends with this
    };

    /// Takes one piece of a stream; false cancels the call. The view lives until it returns.
    using Piece = std::function<bool(std::string_view)>;
    /// Takes one event; false cancels the call. The views live until it returns.
    using OnEvent = std::function<bool(const Event&)>;

    /// Validates, finds credentials as `weir serve` does and starts `config.workers` threads, one
    /// if it is 0. Nothing listens: `listen`, `admin`, `tls`, and the keys of `clients` are not
    /// used, because whoever holds the Client may ask under any client's name. An empty `models`
    /// becomes the built-in table, an empty default_region AWS_REGION or AWS_DEFAULT_REGION.
    /// The error lists every problem, one a line. Raises the process's soft limit of descriptors to
    /// its hard limit. weir's threads take no signals.
    static Result<Client> create(Config config, ClientOptions options = {});

    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    /// As stop().
    ~Client();

    /// The whole answer. Blocks until it is there; raise `cancel` from any thread to end it early:
    /// the call leaves the queue, or its connection to Bedrock is closed at once.
    /// A piece that was on its way to a callback may still come.
    Result<Response> send(const Request& request, const std::stop_token& cancel = {});

    /// As send(), but hands each piece of a good answer to `take` as it comes, on the calling
    /// thread: whole event-stream messages or server-sent events, several together or one in
    /// several pieces. Weir reads on when `take` has returned, so that a slow one slows its own
    /// stream only. An exception of `take` cancels the call and comes out of stream(). The body of
    /// an error is in the Response.
    Result<Response> stream(const Request& request, const Piece& take,
                            const std::stop_token& cancel = {});

    /// Converse, with its JSON body.
    Result<Response> converse(std::string model, std::string body,
                              const std::stop_token& cancel = {});
    /// ConverseStream, its event stream decoded. For other operations of that kind: events().
    Result<Response> converse_stream(std::string model, std::string body, const OnEvent& take,
                                     const std::stop_token& cancel = {});
    /// stream(), for operations that answer with an event stream.
    Result<Response> events(const Request& request, const OnEvent& take,
                            const std::stop_token& cancel = {});

    /// Takes a new configuration for later requests, or says why not and keeps the old one.
    Result<void> reconfigure(Config config);

    Status status() const;
    /// Prometheus' text format: what the admin port of a gateway shows.
    std::string metrics() const;

    /// Takes no more calls, and waits up to `grace` for those under way. What is left then ends as
    /// in a gateway that shuts down: 503 ServiceUnavailableException, and streams with that
    /// exception as their last event. Returns when all calls have returned, callbacks included; so
    /// never from a callback. A second stop() does nothing.
    void stop(Duration grace = {});

private:
    struct Impl;
    explicit Client(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir
