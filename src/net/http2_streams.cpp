#include "net/http2_streams.h"

#include <algorithm>

namespace weir::net {

void Http2Streams::accept(Http2Stream& stream) {
    const auto found =
        std::ranges::find_if(opening_, [&stream](const auto& one) { return one.get() == &stream; });
    ready_.push_back(std::move(*found));
    opening_.erase(found);
    live_.push_back(&stream);
    stream.registered_ = true;
}

void Http2Streams::forget(const Http2Stream& stream) {
    std::erase_if(opening_, [&stream](const auto& one) { return one.get() == &stream; });
}

void Http2Streams::leave(const Http2Stream& stream) {
    std::erase(live_, &stream);
}

void Http2Streams::fail(NetError why) {
    opening_.clear();
    for (Http2Stream* stream : live_) {
        stream->close(why);
    }
}

void Http2Streams::orphan() {
    for (Http2Stream* stream : live_) {
        stream->connection_ = nullptr;
    }
    for (const auto& stream : opening_) {
        stream->connection_ = nullptr;
    }
}

}  // namespace weir::net
