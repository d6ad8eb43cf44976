// The thread behind the access log. Lines gather in memory; the thread takes them all at once every
// 100 ms, or sooner when there are many, and is the only one that ever waits for the descriptor.
#include "observe/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::observe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kCapacity = 4UL << 20;
constexpr std::size_t kEnough = 256UL
                                << 10;  // of a busy second's lines: waking the thread is what costs
constexpr auto kEvery = std::chrono::milliseconds(100);
constexpr auto kFarewell = std::chrono::seconds(1);

constexpr auto kTellEvery = std::chrono::seconds(10);
constexpr auto kPause = std::chrono::milliseconds(5);  // when "writable" was not true
constexpr std::size_t kPiece = 64UL << 10;

// A second way into the same pipe, one that never blocks: the flag on `fd` itself is shared with
// other programs and not ours to set. -1: `fd` is no pipe, or it cannot be opened anew.
int reopen_pipe(int fd) {
    struct stat info{};
    if (::fstat(fd, &info) != 0 || !S_ISFIFO(info.st_mode)) {
        return -1;
    }
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

// Signals belong to the threads that expect them; EPIPE tells this one enough.
void block_signals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct LineWriter::Impl {
    Impl(int descriptor, LineWriter& writer, Lost told)
        : owner(writer),
          on_lost(std::move(told)),
          own(reopen_pipe(descriptor)),
          fd(own >= 0 ? own : descriptor) {
        thread = std::thread([this] { run(); });
    }

    ~Impl() {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
            end = Clock::now() + kFarewell;
        }
        wake.notify_one();
        thread.join();
        if (own >= 0) {
            ::close(own);
        }
    }

    void run() {
        block_signals();
        std::string taken;
        for (;;) {
            {
                std::unique_lock lock(mutex);
                wake.wait(lock, [this] { return stopping || !pending.empty(); });
                wake.wait_for(lock, kEvery,
                              [this] { return stopping || pending.size() >= kEnough; });
                if (pending.empty()) {
                    return;
                }
                taken.swap(pending);
                writing = taken.size();
            }
            put(taken);
            taken.clear();
            if (taken.capacity() > 4 * kEnough) {
                taken.shrink_to_fit();
            }
            {
                const std::lock_guard lock(mutex);
                writing = 0;
            }
            tell_lost();
        }
    }

    // Silence about what is missing would be worse than what is missing.
    void tell_lost() {
        const std::uint64_t now_lost = lost.load(std::memory_order_relaxed);
        const auto now = Clock::now();
        if (!on_lost || now_lost == told_lost || now < tell_next) {
            return;
        }
        {
            const std::lock_guard lock(mutex);
            if (stopping) {
                return;
            }
        }
        tell_next = now + kTellEvery;
        on_lost(owner, now_lost - std::exchange(told_lost, now_lost));
    }

    // Writes all of `text`, waiting for the descriptor as long as the writer lives.
    void put(std::string_view text) {
        if (torn) {
            const std::string_view newline = "\n";  // ends the half line of an earlier failure
            if (::write(fd, newline.data(), 1) == 1) {
                torn = false;
            }
        }
        char last = '\n';
        while (!text.empty()) {
            if (!writable()) {
                break;
            }
            const ssize_t n = ::write(fd, text.data(), std::min(kPiece, text.size()));
            if (n > 0) {
                last = text[static_cast<std::size_t>(n) - 1];
                text.remove_prefix(static_cast<std::size_t>(n));
            } else if (errno == EAGAIN) {
                std::this_thread::sleep_for(kPause);
            } else if (errno != EINTR) {
                break;
            }
        }
        if (!text.empty()) {
            torn = torn || last != '\n';
            lost.fetch_add(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')),
                           std::memory_order_relaxed);
        }
    }

    // False: given up, because the writer is closing and its last second is over.
    bool writable() {
        for (;;) {
            {
                const std::lock_guard lock(mutex);
                if (stopping && Clock::now() >= end) {
                    return false;
                }
            }
            tell_lost();
            struct pollfd entry{fd, POLLOUT, 0};
            if (::poll(&entry, 1, static_cast<int>(kEvery.count())) > 0) {
                return true;  // an error condition, too: write() will name it
            }
        }
    }

    LineWriter& owner;
    const Lost on_lost;
    const int own;  // ours to close, or -1
    const int fd;
    std::mutex mutex;
    std::condition_variable wake;
    std::string pending;      // guarded, as are the next three
    std::size_t writing = 0;  // bytes taken by the thread and not yet written
    bool stopping = false;
    Clock::time_point end;
    bool torn = false;  // the thread's own: the last byte that got out was not a newline
    std::atomic<std::uint64_t> lost{0};
    std::uint64_t told_lost = 0;    // the thread's own, as is the next
    Clock::time_point tell_next{};  // not before
    std::thread thread;
};

LineWriter::LineWriter(int fd, Lost lost)
    : impl_(std::make_unique<Impl>(fd, *this, std::move(lost))) {}
LineWriter::~LineWriter() = default;

void LineWriter::write(std::string_view line) {
    bool ring = false;
    {
        const std::lock_guard lock(impl_->mutex);
        std::string& pending = impl_->pending;
        if (pending.size() + impl_->writing + line.size() + 1 > kCapacity) {
            impl_->lost.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        const std::size_t before = pending.size();
        pending += line;
        pending += '\n';
        ring = before == 0 || (before < kEnough && pending.size() >= kEnough);
    }
    if (ring) {
        impl_->wake.notify_one();
    }
}

std::uint64_t LineWriter::dropped() const {
    return impl_->lost.load(std::memory_order_relaxed);
}

}  // namespace weir::observe
