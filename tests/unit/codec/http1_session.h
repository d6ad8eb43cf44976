// Drives the codec over a stream of messages, as a connection would, and notes what it says.
#pragma once

#include "codec/http1.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::codec::testing {

struct Message {
    std::string method;
    std::string target;
    int status = 0;
    std::string reason;
    int minor_version = 1;
    std::vector<std::pair<std::string, std::string>> fields;
    Framing framing = Framing::none;
    bool keep_alive = true;
    std::string body;
    bool complete = false;
    bool operator==(const Message&) const = default;
};

struct Transcript {
    std::vector<Message> messages;
    std::optional<Http1Error> error;
    bool operator==(const Transcript&) const = default;
};

/// One side of one connection. Reading ends at an error, behind a message that does not keep the
/// connection, and at CONNECT or 101, where HTTP ends.
class Session {
public:
    explicit Session(HeadReader::Side side, bool to_head_request = false)
        : reader_(side), to_head_request_(to_head_request) {}

    void feed(std::string_view piece) {
        if (ended_)
            return;
        held_ += piece;
        while (!ended_ && (in_body_ ? read_body() : read_head())) {
        }
    }

    Transcript finish() {
        if (!ended_ && in_body_) {
            if (auto ok = body_.finish(); ok)
                transcript_.messages.back().complete = true;
            else
                transcript_.error = ok.error();
        } else if (!ended_ && held_.find_first_not_of("\r\n") != std::string::npos) {
            transcript_.error = Http1Error::truncated;
        }
        return std::move(transcript_);
    }

private:
    /// True: go on with what is held.
    bool read_head() {
        const auto read = reader_.read(held_, head_, to_head_request_);
        if (!read)
            return fail(read.error());
        const std::optional<std::size_t> taken = *read;
        if (!taken)
            return false;
        Message message;
        message.method = head_.method;
        message.target = head_.target;
        message.status = head_.status;
        message.reason = head_.reason;
        message.minor_version = head_.minor_version;
        for (const Field& field : head_.fields)
            message.fields.emplace_back(field.name, field.value);
        message.framing = head_.framing;
        message.keep_alive = head_.keep_alive;
        transcript_.messages.push_back(std::move(message));
        body_ = BodyReader(head_.framing, head_.content_length);
        tunnel_ = head_.method == "CONNECT" || head_.status == 101;
        held_.erase(0, *taken);
        reader_.reset();
        in_body_ = true;
        return true;
    }

    bool read_body() {
        const auto step = body_.next(held_);
        if (!step)
            return fail(step.error());
        transcript_.messages.back().body += step->content;
        held_.erase(0, step->consumed);
        if (!step->done)
            return step->consumed > 0;
        transcript_.messages.back().complete = true;
        in_body_ = false;
        ended_ = tunnel_ || !transcript_.messages.back().keep_alive;
        return true;
    }

    bool fail(Http1Error error) {
        transcript_.error = error;
        ended_ = true;
        return false;
    }

    HeadReader reader_;
    BodyReader body_;
    Head head_;
    std::string held_;
    Transcript transcript_;
    bool to_head_request_;
    bool in_body_ = false;
    bool tunnel_ = false;
    bool ended_ = false;
};

/// Gives `bytes` in pieces whose lengths `next_length()` says, each at least 1.
template <class NextLength>
Transcript read_stream(HeadReader::Side side, std::string_view bytes, NextLength next_length,
                       bool to_head_request = false) {
    Session session(side, to_head_request);
    while (!bytes.empty()) {
        const std::string_view piece = bytes.substr(0, next_length());
        session.feed(piece);
        bytes.remove_prefix(piece.size());
    }
    return session.finish();
}

inline Transcript read_whole(HeadReader::Side side, std::string_view bytes,
                             bool to_head_request = false) {
    return read_stream(side, bytes, [&] { return bytes.size(); }, to_head_request);
}

inline Transcript read_bytewise(HeadReader::Side side, std::string_view bytes,
                                bool to_head_request = false) {
    return read_stream(side, bytes, [] { return std::size_t{1}; }, to_head_request);
}

}  // namespace weir::codec::testing
