#include "aws/gzip.h"

#include <zlib.h>

#include <limits>

namespace weir::aws {

std::string gzipped(std::string_view text) {
    constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's head and tail
    constexpr int kMemory = 8;            // zlib's default
    z_stream stream{};
    if (text.size() > std::numeric_limits<uInt>::max() / 2 ||
        deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) !=
            Z_OK) {
        return {};
    }
    std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
    // zlib reads only, though its interface does not say so.
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const bool whole = deflate(&stream, Z_FINISH) == Z_STREAM_END;
    out.resize(whole ? out.size() - stream.avail_out : 0);
    deflateEnd(&stream);
    return out;
}

}  // namespace weir::aws
