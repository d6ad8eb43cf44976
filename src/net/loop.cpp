#include "net/loop.h"

#include <asio/co_spawn.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

namespace weir::net {

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
        auto dropped = take();
    }
}

Task<void> Parked::wait() {
    return asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [this](Handler handler) {
            handler_.emplace(std::move(handler));
            previous_ = nullptr;
            next_ = loop_.parked_;
            if (next_ != nullptr) {
                next_->previous_ = this;
            }
            loop_.parked_ = this;
        },
        asio::use_awaitable_t<Executor>{});
}

Parked::Handler Parked::take() {
    (previous_ != nullptr ? previous_->next_ : loop_.parked_) = next_;
    if (next_ != nullptr) {
        next_->previous_ = previous_;
    }
    previous_ = next_ = nullptr;
    Handler handler = std::move(*handler_);
    handler_.reset();
    return handler;
}

void Parked::resume_now() {
    if (waiting()) {
        auto handler = take();
        handler();
    }
}

void Parked::resume() {
    if (waiting()) {
        asio::post(loop_.executor(), take());
    }
}

Loop::Loop(unsigned index)
    : context_(ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      work_(context_.get_executor()),
      wheel_(context_),
      poller_(context_),
      index_(index) {}

Loop::~Loop() {
    stop();
    join();
    while (parked_ != nullptr) {
        auto dropped = parked_->take();  // its frame is now the context's to destroy
    }
    context_.shutdown();
}

void Loop::start() {
    thread_ = std::thread([this] { run(); });
}

void Loop::run() {
    context_.run();
}

void Loop::stop() {
    context_.stop();
}

void Loop::join() {
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Loop::spawn(Task<void> task) {
    asio::co_spawn(context_, std::move(task), [](const std::exception_ptr& failure) {
        if (!failure) {
            return;
        }
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "weir: a coroutine ended with an exception: %s\n", error.what());
        } catch (...) {
            std::fprintf(stderr, "weir: a coroutine ended with an unknown exception\n");
        }
        std::abort();
    });
}

Task<void> Loop::sleep(Duration duration) {
    Parked parked(*this);
    Timer timer(wheel_, [](void* context) { static_cast<Parked*>(context)->resume(); }, &parked);
    timer.set_after(duration);
    co_await parked.wait();
}

}  // namespace weir::net
