#include "net/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace weir::net {

namespace {

int make_epoll() {
    const int made = ::epoll_create1(EPOLL_CLOEXEC);
    if (made < 0) {
        std::perror("weir: epoll_create1");
        std::abort();  // a loop without it can do nothing
    }
    return made;
}

int control(int epoll, int operation, int descriptor, std::uint32_t events, Watched& whom) {
    epoll_event event{};
    event.events = events | EPOLLET;
    event.data.ptr = &whom;
    return ::epoll_ctl(epoll, operation, descriptor, &event) == 0 ? 0 : errno;
}

}  // namespace

Poller::Poller() : epoll_(make_epoll()) {}

Poller::~Poller() {
    ::close(epoll_);
}

int Poller::add(int descriptor, std::uint32_t events, Watched& whom) {
    return control(epoll_, EPOLL_CTL_ADD, descriptor, events, whom);
}

int Poller::modify(int descriptor, std::uint32_t events, Watched& whom) {
    return control(epoll_, EPOLL_CTL_MOD, descriptor, events, whom);
}

void Poller::remove(int descriptor, const Watched& whom) {
    // Closing would not be enough: a process being started may still hold a copy for a moment.
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
    const auto rest = telling_.begin() + static_cast<std::ptrdiff_t>(told_);
    std::replace(rest, telling_.begin() + static_cast<std::ptrdiff_t>(total_),
                 static_cast<void*>(const_cast<Watched*>(&whom)), static_cast<void*>(nullptr));
}

// UndefinedBehaviorSanitizer looks at an object by way of a pipe, which cannot be had where
// descriptors have run out.
__attribute__((no_sanitize("vptr"))) std::size_t Poller::tell(bool wait) {
    std::array<epoll_event, 128> events;
    const int found =
        ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait ? -1 : 0);
    total_ = static_cast<std::size_t>(std::max(found, 0));
    for (std::size_t i = 0; i < total_; ++i) {
        telling_[i] = events[i].data.ptr;
    }
    for (told_ = 0; told_ < total_;) {
        const std::size_t i = told_++;
        if (telling_[i] != nullptr) {
            static_cast<Watched*>(telling_[i])->ready(events[i].events);
        }
    }
    const std::size_t told = total_;
    told_ = total_ = 0;
    return told;
}

}  // namespace weir::net
