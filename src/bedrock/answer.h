// What an answer says of itself: usage, content, failure; from bodies, headers and stream events.
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
/// families' own members. Nothing found, negative, strings, absurdly many: `known` false; never
/// throws. One a worker.
class AnswerReader {
public:
    AnswerReader();
    ~AnswerReader();
    AnswerReader(AnswerReader&&) noexcept;
    AnswerReader& operator=(AnswerReader&&) noexcept;

    /// `body` may grow its capacity (parser padding), never its content. `says_text`: false for
    /// models of embeddings, scores, images and video, whose output is none.
    Usage usage(Operation operation, const codec::Head& head, std::string& body,
                bool says_text = true);
    /// Grows it beforehand, so that usage() leaves where it is what somebody still sends.
    static void make_room(std::string& body);

    /// How an error answer reads: classified by status and x-amzn-ErrorType first (':' suffix and
    /// '#' prefix stripped, case ignored), by message text only to tell 429s (and a daily 400)
    /// apart. Retry-After (seconds or date: dates need `unix_now`) and x-amz-retry-after (ms) are
    /// read, capped at 1 h. A status that is no error (2xx) must not be handed in.
    Failure failure(const codec::Head& head, std::string& body, std::int64_t unix_now);

    /// A page, not an error of the service: something in between has answered.
    static bool is_page(const codec::Head& head, std::string_view body);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Watches one stream's events go by.
class StreamWatcher {
public:
    explicit StreamWatcher(Operation operation);
    ~StreamWatcher();
    StreamWatcher(StreamWatcher&&) noexcept;
    StreamWatcher& operator=(StreamWatcher&&) noexcept;

    enum class Kind : std::uint8_t {
        start,     // messageStart, message_start: names the message, once
        ping,      // a sign of life, a comment: nothing is said
        preamble,  // content_block_start without text, OpenAI's first chunks: hold it
        content,   // something the reader can see has begun
        end,       // messageStop / message_stop: what follows is metadata
        metadata,  // usage; for Converse after the end
        failure,   // an exception or error message: failure() says which
    };
    Kind on_event(const codec::EventMessage& message);

    Usage usage() const;  // as far as seen; output estimated from content bytes until known
    bool ended() const;   // the model said that it was done: a clean end of the stream
    /// After Kind::failure. Stage is left to the caller.
    const Failure& failure() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Class of an error by its parts; used for answers and for in-stream exceptions alike.
FailureClass classify(int status, std::string_view error_type, std::string_view message);

/// `com.amazon#ThrottlingException:http://...` gives ThrottlingException. Whatever the bytes: the
/// result is fit for a head, a log line and a label.
std::string_view bare_error_type(std::string_view value);

/// The error type that goes with a status where the answer named none (HTML from something
/// between).
std::string_view default_error_type(int status);

}  // namespace weir::bedrock
