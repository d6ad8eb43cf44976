#include "net/date.h"

#include <array>
#include <ctime>

namespace weir::net {

std::string_view date_line() {
    struct Cached {
        std::time_t second = -1;
        std::array<char, 48> text{};
        std::size_t size = 0;
    };
    thread_local Cached cached;
    const std::time_t now = std::time(nullptr);
    if (now != cached.second) {
        std::tm parts{};
        gmtime_r(&now, &parts);
        cached.size = std::strftime(cached.text.data(), cached.text.size(),
                                    "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
        cached.second = now;
    }
    return {cached.text.data(), cached.size};
}

}  // namespace weir::net
