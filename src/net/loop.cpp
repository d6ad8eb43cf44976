#include "net/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace weir::net {

namespace {

constinit thread_local const Loop* current = nullptr;

int make_wake(Poller& poller, Watched& whom) {
    const int made = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made < 0 || poller.add(made, EPOLLIN, whom) != 0) {
        std::perror("weir: eventfd");
        std::abort();  // a loop that cannot be woken can do nothing
    }
    return made;
}

}  // namespace

std::string_view to_string(NetError error) {
    switch (error) {
        case NetError::closed:
            return "closed";
        case NetError::reset:
            return "reset";
        case NetError::timeout:
            return "timeout";
        case NetError::interrupted:
            return "interrupted";
        case NetError::dns:
            return "dns";
        case NetError::connect:
            return "connect";
        case NetError::tls:
            return "tls";
        case NetError::protocol:
            return "protocol";
        case NetError::too_large:
            return "too_large";
    }
    return "unknown";
}

Parked::~Parked() {
    if (waiting()) {
        loop_.doomed_.push(take().outermost());
    }
}

void Parked::hold(Frame& frame) noexcept {
    frame_ = &frame;
    previous_ = nullptr;
    next_ = loop_.parked_;
    if (next_ != nullptr) {
        next_->previous_ = this;
    }
    loop_.parked_ = this;
}

Frame& Parked::take() {
    (previous_ != nullptr ? previous_->next_ : loop_.parked_) = next_;
    if (next_ != nullptr) {
        next_->previous_ = previous_;
    }
    previous_ = next_ = nullptr;
    return *std::exchange(frame_, nullptr);
}

void Parked::resume_now() {
    if (waiting()) {
        take().handle.resume();
    }
}

void Parked::resume() {
    if (waiting()) {
        loop_.ready_.push(take());
    }
}

void Loop::Queue::push(Frame& frame) {
    frame.next = nullptr;
    (first != nullptr ? last->next : first) = &frame;
    last = &frame;
}

/// Says whose thread this is.
class Loop::Running {
public:
    explicit Running(const Loop& loop) : before_(std::exchange(current, &loop)) {}
    ~Running() { current = before_; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

private:
    const Loop* before_;
};

Loop::Loop(unsigned index)
    : wheel_(poller_), index_(index), wake_descriptor_(make_wake(poller_, woken_)) {
    // Room for what a turn posts: it must not fail where memory does.
    constexpr std::size_t kPosts = 256;
    for (std::vector<Work>* works : {&posted_, &running_, &from_others_, &taken_}) {
        works->reserve(kPosts);
    }
}

Loop::~Loop() {
    stop();
    join();
    unwind();
    poller_.remove(wake_descriptor_, woken_);
    ::close(wake_descriptor_);
}

void Loop::start() {
    thread_ = std::thread([this] {
        run();
        Frame::release_kept();
    });
}

void Loop::run() {
    const Running here(*this);
    while (!stopped_.load(std::memory_order_acquire)) {
        ++turn_;
        poller_.tell(idle());
        for (int i = 0; i < 8 && !idle(); ++i) {
            run_queued();
        }
    }
}

std::size_t Loop::poll() {
    const Running here(*this);
    std::size_t total = 0;
    for (std::size_t ran = 1; ran != 0; total += ran) {
        ran = poller_.tell(false) + run_queued();
    }
    return total;
}

std::size_t Loop::run_queued() {
    std::size_t ran = 0;
    ++turn_;
    for (Frame* frame = ready_.take().first; frame != nullptr; ++ran) {
        std::exchange(frame, frame->next)->handle.resume();
    }
    for (std::vector<Work>* works : {&posted_, &taken_}) {
        if (!works->empty()) {
            running_.swap(*works);
            for (Work& work : running_) {
                work();
                work = nullptr;
            }
            ran += running_.size();
            running_.clear();
        }
    }
    for (Frame* frame = doomed_.take().first; frame != nullptr; ++ran) {
        std::exchange(frame, frame->next)->handle.destroy();
    }
    return ran;
}

void Loop::stop() {
    stopped_.store(true, std::memory_order_release);
    wake();
}

void Loop::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Loop::unwind() {
    const Running here(*this);  // what is unwound may post
    {
        const std::scoped_lock lock(mutex_);
        from_others_.clear();
    }
    taken_.clear();
    while (parked_ != nullptr || !idle()) {
        while (parked_ != nullptr) {
            doomed_.push(parked_->take().outermost());
        }
        for (Frame* frame = ready_.take().first; frame != nullptr;) {
            doomed_.push(std::exchange(frame, frame->next)->outermost());
        }
        const std::vector<Work> never = std::move(posted_);
        posted_.clear();
        for (Frame* frame = doomed_.take().first; frame != nullptr;) {
            std::exchange(frame, frame->next)->handle.destroy();
        }
    }
}

bool Loop::here() const {
    return current == this;
}

void Loop::post(Work work) {
    if (here()) {
        posted_.push_back(std::move(work));
        return;
    }
    bool first = false;
    {
        const std::scoped_lock lock(mutex_);
        first = from_others_.empty();
        from_others_.push_back(std::move(work));
    }
    if (first) {
        wake();
    }
}

void Loop::wake() const {
    const std::uint64_t one = 1;
    // Fails only when it is full of wakes that nobody has seen yet.
    [[maybe_unused]] const auto written = ::write(wake_descriptor_, &one, sizeof one);
}

void Loop::Woken::ready(std::uint32_t /*events*/) {
    std::uint64_t times = 0;
    [[maybe_unused]] const auto got = ::read(loop.wake_descriptor_, &times, sizeof times);
    if (loop.taken_.empty()) {
        const std::scoped_lock lock(loop.mutex_);
        loop.taken_.swap(loop.from_others_);
    } else {
        loop.wake();  // what was taken before has not run yet
    }
}

void Loop::spawn(Task<void> task) {
    if (here()) {
        std::move(task).detach().handle.resume();
    } else {
        post([start = std::move(task)]() mutable { std::move(start).detach().handle.resume(); });
    }
}

Task<void> Loop::sleep(Duration duration) {
    Parked parked(*this);
    Timer timer(wheel_, [](void* context) { static_cast<Parked*>(context)->resume(); }, &parked);
    timer.set_after(duration);
    co_await parked.wait();
}

}  // namespace weir::net
