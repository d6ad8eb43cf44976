#include "net/socket.h"

#include <sys/syscall.h>
#include <unistd.h>

// The sanitizers follow memory and order through the C library's functions alone.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WEIR_PLAIN_CALLS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WEIR_PLAIN_CALLS 1
#endif
#endif

namespace weir::net {

void Socket::close() {
    if (descriptor_ >= 0) {
        ::close(std::exchange(descriptor_, -1));
    }
}

ssize_t receive(int descriptor, std::span<char> into) {
#ifdef WEIR_PLAIN_CALLS
    return ::recv(descriptor, into.data(), into.size(), MSG_DONTWAIT);
#else
    return ::syscall(SYS_recvfrom, descriptor, into.data(), into.size(), MSG_DONTWAIT, nullptr,
                     nullptr);
#endif
}

ssize_t transmit(int descriptor, std::string_view bytes) {
#ifdef WEIR_PLAIN_CALLS
    return ::send(descriptor, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
#else
    return ::syscall(SYS_sendto, descriptor, bytes.data(), bytes.size(),
                     MSG_DONTWAIT | MSG_NOSIGNAL, nullptr, 0);
#endif
}

ssize_t transmit(int descriptor, const msghdr& message) {
#ifdef WEIR_PLAIN_CALLS
    return ::sendmsg(descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
#else
    return ::syscall(SYS_sendmsg, descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
#endif
}

}  // namespace weir::net
