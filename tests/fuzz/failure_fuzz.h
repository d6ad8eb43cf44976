// What must hold for any bytes in which an upstream tells a failure: as an answer's head and body,
// as an event of an event stream, as a server-sent event. Run by the fuzzer, and over the corpus by
// the unit tests.
#pragma once

#include "bedrock/answer.h"
#include "bedrock/sse_watcher.h"
#include "codec/clean.h"

#include "fuzz/check.h"

#include <simdjson.h>

#include <array>
#include <string>
#include <string_view>

namespace weir::fuzz {

/// Fit for a head, a label, a log line and JSON: nothing is left to clean.
inline void is_clean(const Failure& failure) {
    check(codec::clean_name(failure.error_type) == failure.error_type);
    check(codec::clean_text(failure.message) == failure.message);
    check(simdjson::validate_utf8(failure.message.data(), failure.message.size()));
}

inline void in_answer(int status, std::string_view name, std::string_view body) {
    codec::Head head;
    head.status = status;
    head.add({"x-amzn-errortype", name});
    std::string copy(body);
    bedrock::AnswerReader reader;
    const Failure failure = reader.failure(head, copy, 0);
    is_clean(failure);
    check(!failure.error_type.empty());
    check(copy == body);
    static_cast<void>(bedrock::AnswerReader().usage(bedrock::Operation::invoke, head, copy));
}

inline void in_event(std::string_view name, std::string_view text) {
    for (const auto operation :
         {bedrock::Operation::converse_stream, bedrock::Operation::invoke_stream}) {
        bedrock::StreamWatcher watcher(operation);
        codec::EventMessage message;
        message.headers = {{":message-type", std::string_view("error")},
                           {":error-code", name},
                           {":error-message", text}};
        check(watcher.on_event(message) == bedrock::StreamKind::failure);
        is_clean(watcher.failure());
        message.headers = {{":message-type", std::string_view("exception")},
                           {":exception-type", name}};
        message.payload = text;
        check(watcher.on_event(message) == bedrock::StreamKind::failure);
        is_clean(watcher.failure());
        for (const std::string_view type : {"chunk", "metadata", "contentBlockDelta"}) {
            message.headers = {{":message-type", std::string_view("event")}, {":event-type", type}};
            watcher.on_event(message);
            is_clean(watcher.failure());
        }
    }
}

inline void in_sse(std::string_view bytes) {
    using bedrock::Operation;
    for (const auto operation :
         {Operation::chat_completions, Operation::responses, Operation::messages}) {
        bedrock::SseWatcher watcher(operation);
        codec::SseReader reader;
        codec::SseEvent event;
        std::string_view rest = bytes;
        for (auto read = reader.read(rest, event); read && *read; read = reader.read(rest, event)) {
            watcher.on_event(event);
            is_clean(watcher.failure());
            check(codec::clean_id(watcher.response_id()) == watcher.response_id());
            rest.remove_prefix(**read);
        }
    }
}

/// The first byte chooses a status, the first line is a name, the rest is what goes with it.
inline void failure(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    constexpr std::array kStatuses = {400, 403, 404, 408, 424, 429, 500, 503, 529, 302};
    const int status = kStatuses[static_cast<unsigned char>(bytes[0]) % kStatuses.size()];
    bytes.remove_prefix(1);
    const auto line = bytes.find('|');
    const std::string_view name = bytes.substr(0, line);
    const std::string_view text = line == std::string_view::npos ? "" : bytes.substr(line + 1);
    in_answer(status, name, text);
    in_event(name, text);
    in_sse(text);
}

}  // namespace weir::fuzz
