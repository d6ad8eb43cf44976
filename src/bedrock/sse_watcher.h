// Watches the events of an OpenAI or Anthropic stream go by, as StreamWatcher does Bedrock's own.
#pragma once

#include "bedrock/answer.h"
#include "bedrock/operation.h"
#include "codec/sse.h"

#include <weir/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace weir::bedrock {

using StreamKind = StreamWatcher::Kind;

/// Is this all of what one event of these APIs has as its data? For what a stream ended in.
bool is_whole_data(std::string_view data);

class SseWatcher {
public:
    /// `operation` is one that names its model in the body. `hides_usage`: weir itself asked for
    /// the chunk that states the usage, and the client is not to see it.
    explicit SseWatcher(Operation operation, bool hides_usage = false);
    ~SseWatcher();
    SseWatcher(SseWatcher&&) noexcept;
    SseWatcher& operator=(SseWatcher&&) noexcept;

    StreamKind on_event(const codec::SseEvent& event);
    bool hidden() const;  // the last event is not for the client

    Usage usage() const;  // as far as seen; output estimated from content until known
    bool ended() const;   // the model said that it was done
    const std::string& response_id() const;  // of a Responses stream, once it was told
    /// After StreamKind::failure. Stage is left to the caller.
    const Failure& failure() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::bedrock
