// A gateway with its listeners and threads, and what it has logged.
#pragma once

#include "gateway/gateway.h"

#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace weir::gateway::test {

class NoKeys : public KeySource {
public:
    std::shared_ptr<const aws::Credentials> get() const override { return nullptr; }
    void refresh(std::shared_ptr<const aws::Credentials> /*stale*/,
                 std::function<void()> done) override {
        done();
    }
};

class Running {
public:
    explicit Running(Config config, GatewayOptions options = {}) {
        options.make_keys = [](const auto&...) { return std::make_unique<NoKeys>(); };
        options.log = [this](LogLevel, std::string_view text) {
            const std::scoped_lock lock(mutex_);
            log_.append(text).append("\n");
        };
        gateway = std::make_unique<Gateway>(std::move(config), std::move(options));
        started = gateway->start();
    }
    ~Running() { gateway->stop(); }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

    std::string log() {
        const std::scoped_lock lock(mutex_);
        return log_;
    }

    std::unique_ptr<Gateway> gateway;
    Result<void> started;

private:
    std::mutex mutex_;
    std::string log_;
};

}  // namespace weir::gateway::test
