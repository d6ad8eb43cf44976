#include "net/inherited.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>

namespace weir::net {
namespace {

constexpr int kFirst = 3;
constexpr int kMost = 64;

int number(const char* variable) {
    const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): nobody sets any
    int value = 0;
    if (text != nullptr) {
        std::from_chars(text, text + std::strlen(text), value);
    }
    return value;
}

std::optional<Address> listens_at(int descriptor) {
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
        return std::nullopt;
    }
    sockaddr_in6 got{};  // room for either family
    auto* const name = reinterpret_cast<sockaddr*>(&got);
    size = sizeof got;
    if (::getsockname(descriptor, name, &size) != 0) {
        return std::nullopt;
    }
    return Address::from(*name);
}

struct Inherited {
    std::mutex mutex;
    std::map<std::string, Socket> by_address;

    Inherited() {
        if (number("LISTEN_PID") != ::getpid()) {
            return;
        }
        const int end = kFirst + std::clamp(number("LISTEN_FDS"), 0, kMost);
        for (int descriptor = kFirst; descriptor < end; ++descriptor) {
            ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
            if (const auto address = listens_at(descriptor)) {
                ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
                by_address.emplace(address->to_string(), Socket(descriptor));
            }
        }
    }
};

Inherited& inherited() {
    static auto& all = *new Inherited;  // closed by the process's end
    return all;
}

}  // namespace

Socket take_inherited(const Address& wanted) {
    const std::scoped_lock lock(inherited().mutex);
    auto found = inherited().by_address.extract(wanted.to_string());
    return found.empty() ? Socket() : std::move(found.mapped());
}

std::vector<std::string> close_inherited() {
    const std::scoped_lock lock(inherited().mutex);
    std::vector<std::string> addresses;
    for (const auto& [address, socket] : inherited().by_address) {
        addresses.push_back(address);
    }
    inherited().by_address.clear();
    return addresses;
}

}  // namespace weir::net
