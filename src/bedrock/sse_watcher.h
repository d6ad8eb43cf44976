// Classifies the events of an OpenAI or Anthropic stream, as StreamWatcher does for Bedrock's.
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

/// True if this is the complete data of one event of these APIs. For the end of a stream.
bool is_whole_data(std::string_view data);

class SseWatcher {
public:
    /// `operation` is one that names its model in the body. `hides_usage`: weir itself requested
    /// the chunk with the usage, and the client must not see it.
    explicit SseWatcher(Operation operation, bool hides_usage = false);
    ~SseWatcher();
    SseWatcher(SseWatcher&&) noexcept;
    SseWatcher& operator=(SseWatcher&&) noexcept;

    StreamKind on_event(const codec::SseEvent& event);
    bool hidden() const;  // the last event is not for the client

    Usage usage() const;  // as far as seen; output estimated from content until known
    bool ended() const;   // the model has finished
    const std::string& response_id() const;  // of a Responses stream, once known
    /// After StreamKind::failure. Stage is left to the caller.
    const Failure& failure() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::bedrock
