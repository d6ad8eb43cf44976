#include "shared/connection.h"

#include <string_view>

namespace weir::shared {

net::Task<void> write(net::Loop& loop, std::shared_ptr<Connection> to, Counters& counters) {
    std::string bytes;
    while (!to->closing) {
        co_await to->to_write.wait();
        co_await loop.soon();  // what else is said in this turn goes with it
        if (to->closing || to->out.empty()) {
            continue;
        }
        bytes.clear();
        std::swap(bytes, to->out);
        counters.round_trips.fetch_add(1, std::memory_order_relaxed);
        std::string_view rest = bytes;
        std::string_view none;
        std::string_view neither;
        const auto written = to->stream->try_write(rest, none, neither);
        if (!written) {
            co_return;  // what the server has said before is still read: it may say why
        }
        if (!*written) {
            const auto all = co_await to->stream->write(rest);
            if (!all) {
                co_return;
            }
        }
    }
}

}  // namespace weir::shared
