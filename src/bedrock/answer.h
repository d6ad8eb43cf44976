// Reads usage, content and failures from the bodies, headers and stream events of answers.
#pragma once

#include "bedrock/operation.h"
#include "codec/eventstream.h"
#include "codec/http1.h"

#include <weir/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::bedrock {

/// Usage of a whole answer: Converse's `usage`, the x-amzn-bedrock-*-token-count headers, the
/// families' own members. If the counts are missing, negative, no numbers or implausible, `known`
/// is false. Never throws. One per worker.
class AnswerReader {
public:
    AnswerReader();
    ~AnswerReader();
    AnswerReader(AnswerReader&&) noexcept;
    AnswerReader& operator=(AnswerReader&&) noexcept;

    /// `body` may grow its capacity (parser padding), never its content. `says_text`: false for
    /// models of embeddings, scores, images and video, which have no output tokens.
    Usage usage(Operation operation, const codec::Head& head, std::string& body,
                bool says_text = true);

    /// Classifies an error answer: by status and x-amzn-ErrorType first (':' suffix and '#' prefix
    /// stripped, case ignored), by message text only to distinguish 429s (and a daily
    /// 400). Retry-After (seconds or date: dates need `unix_now`) and x-amz-retry-after (ms) are
    /// read, capped at 1 h. Only for error statuses, not for 2xx.
    Failure failure(const codec::Head& head, std::string& body, std::int64_t unix_now);

    /// A web page, not an error of the service: a proxy in between has answered.
    static bool is_page(const codec::Head& head, std::string_view body);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Classifies the events of one stream.
class StreamWatcher {
public:
    explicit StreamWatcher(Operation operation);
    ~StreamWatcher();
    StreamWatcher(StreamWatcher&&) noexcept;
    StreamWatcher& operator=(StreamWatcher&&) noexcept;

    enum class Kind : std::uint8_t {
        start,     // messageStart, message_start: names the message, once
        ping,      // a ping or a comment, without content
        preamble,  // content_block_start without text, OpenAI's first chunks: hold it
        content,   // the visible content has begun
        end,       // messageStop / message_stop: what follows is metadata
        metadata,  // usage; for Converse after the end
        failure,   // an exception or error message: failure() says which
    };
    Kind on_event(const codec::EventMessage& message);

    Usage usage() const;  // as far as seen; output estimated from content bytes until known
    bool ended() const;   // the model has finished: a clean end of the stream
    /// After Kind::failure. Stage is left to the caller.
    const Failure& failure() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Class of an error by its parts; used for answers and for in-stream exceptions alike.
FailureClass classify(int status, std::string_view error_type, std::string_view message);

/// `com.amazon#ThrottlingException:http://...` gives ThrottlingException. For any
/// bytes, the result is valid in a head, a log line and a label.
std::string_view bare_error_type(std::string_view value);

/// The error type for a status, if the answer names none (HTML from a proxy in
/// between).
std::string_view default_error_type(int status);

}  // namespace weir::bedrock
