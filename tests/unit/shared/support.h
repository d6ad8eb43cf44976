// A real server, and a store on a loop of its own that tests ask from outside.
#pragma once

#include "shared/resp.h"
#include "shared/slots.h"
#include "shared/store.h"
#include "unit/net/support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <initializer_list>
#include <map>
#include <mutex>
#include <random>
#include <utility>

namespace weir::shared::test {

using net::test::Client;
using net::test::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;

inline std::string as_command(std::initializer_list<std::string_view> words) {
    std::string bytes;
    append_command(bytes, std::vector<std::string_view>(words));
    return bytes;
}

/// Nobody listens there; below the ports that the kernel gives away. A cluster's nodes use the one
/// 10,000 above as well.
inline std::uint16_t free_port() {
    static std::minstd_rand random{std::random_device{}()};
    const auto can_bind = [](int port) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(static_cast<std::uint16_t>(port));
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool free = ::bind(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
        ::close(fd);
        return free;
    };
    for (;;) {
        const int port = std::uniform_int_distribution<int>(12000, 21000)(random);
        if (can_bind(port) && can_bind(port + 10000)) {
            return static_cast<std::uint16_t>(port);
        }
    }
}

/// redis-server in a folder of its own, without anything on disk.
class RedisServer {
public:
    explicit RedisServer(std::vector<std::string> options = {}, std::uint16_t at = free_port(),
                         std::string host = "127.0.0.1")
        : port_(at), host_(std::move(host)), options_(std::move(options)) {
        std::string pattern = std::filesystem::temp_directory_path() / "weir-redis-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        start();
    }
    ~RedisServer() {
        kill();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    RedisServer(const RedisServer&) = delete;
    RedisServer& operator=(const RedisServer&) = delete;

    std::uint16_t port() const { return port_; }
    std::string url(const std::string& login = "") const {
        return "redis://" + login + "127.0.0.1:" + std::to_string(port_);
    }

    void start() {
        const std::string port = std::to_string(port_);
        std::vector<std::string> words{"redis-server",
                                       "--bind",
                                       host_,
                                       "--save",
                                       "",
                                       "--appendonly",
                                       "no",
                                       "--dir",
                                       folder_,
                                       "--daemonize",
                                       "no",
                                       "--repl-diskless-sync-delay",
                                       "0"};
        if (std::ranges::find(options_, "--tls-port") == options_.end()) {
            words.insert(words.end(), {"--port", port});
        }
        words.insert(words.end(), options_.begin(), options_.end());
        std::vector<char*> arguments;
        for (std::string& word : words) {
            arguments.push_back(word.data());
        }
        arguments.push_back(nullptr);
        process_ = ::fork();
        if (process_ == 0) {
            const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
            if (nowhere >= 0) {
                ::dup2(nowhere, 1);
                ::dup2(nowhere, 2);
            }
            ::execvp("redis-server", arguments.data());
            ::_exit(127);
        }
        // With another address a test waits for what it needs.
        const bool listens =
            host_ != "127.0.0.1" || eventually([this] { return Client(port_).connected(); });
        EXPECT_TRUE(listens) << "redis-server does not start; tools/install_packages test";
    }
    void signal(int which) const { ::kill(process_, which); }
    void kill() {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
            process_ = -1;
        }
    }

    /// On a connection of its own.
    Reply command(std::initializer_list<std::string_view> words) const {
        Client client(port_);
        client.send(as_command(words));
        ReplyReader reader;
        for (;;) {
            const std::string bytes = client.receive();
            if (bytes.empty()) {
                ADD_FAILURE() << "no answer from redis-server";
                return {};
            }
            reader.feed(bytes);
            auto reply = reader.next();
            if (!reply) {
                ADD_FAILURE() << reply.error();
                return {};
            }
            if (*reply) {
                return **reply;
            }
        }
    }

private:
    std::uint16_t port_;
    std::string host_;
    std::vector<std::string> options_;
    std::string folder_;
    pid_t process_ = -1;
};

/// Adds ARGV[1] to the key, and says what it has become.
constexpr const char* kAdd = "return redis.call('INCRBY', KEYS[1], ARGV[1])";

using Result = std::expected<Reply, StoreFailure>;

inline std::string described(const Result& result) {
    if (!result) {
        return std::string(to_string(result.error().error)) + ": " + result.error().text;
    }
    return result->kind == Reply::Kind::integer ? std::to_string(result->integer) : result->text;
}

class Rig {
public:
    explicit Rig(const std::string& url, std::string script = kAdd)
        : Rig(of(url), std::move(script)) {}
    explicit Rig(const SharedConfig& config, std::string script = kAdd,
                 net::Resolver* resolver = nullptr)
        : store_(std::make_unique<Store>(
              loop_, config, std::move(script),
              [this](LogLevel, std::string_view line) {
                  const std::scoped_lock lock(mutex_);
                  log_ += std::string(line) + "\n";
              },
              resolver)) {
        loop_.start();
    }
    ~Rig() {
        on_loop([this] { store_.reset(); });
        loop_.stop();
        loop_.join();
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    static SharedConfig of(const std::string& url) {
        SharedConfig config;
        config.url = url;
        return config;
    }

    template <class F>
    auto on_loop(F run) -> decltype(run()) {
        std::promise<decltype(run())> done;
        loop_.post([&] {
            if constexpr (std::is_void_v<decltype(run())>) {
                run();
                done.set_value();
            } else {
                done.set_value(run());
            }
        });
        return done.get_future().get();
    }

    Result call(const std::string& key, const std::vector<std::string>& args = {"1"}) {
        std::promise<Result> done;
        loop_.post([&] {
            inside_ = true;
            store_->call({key, args}, [this, &done](const Result& result) {
                EXPECT_FALSE(inside_);
                done.set_value(result);
            });
            inside_ = false;
        });
        return done.get_future().get();
    }
    /// Until it succeeds: a busy machine may miss the 50 ms now and then.
    Reply must(const std::string& key, const std::vector<std::string>& args = {"1"}) {
        Result last;
        const bool came = eventually([&] {
            last = call(key, args);
            return last.has_value();
        });
        EXPECT_TRUE(came) << described(last);
        return last.value_or(Reply());
    }
    /// Until it fails in this way.
    StoreFailure must_fail(StoreError how, const std::string& key = "k",
                           const std::vector<std::string>& args = {"1"}) {
        Result last;
        const bool came = eventually([&] {
            last = call(key, args);
            return !last && last.error().error == how;
        });
        EXPECT_TRUE(came) << described(last);
        return last ? StoreFailure() : last.error();
    }
    bool goes_up() {
        return eventually([this] { return on_loop([this] { return store_->up(); }); });
    }
    /// Until it is down for this reason.
    testing::AssertionResult goes_down(std::string_view why) {
        std::string said;
        const bool down = eventually([&] {
            said = on_loop([this] { return std::string(store_->why()); });
            return said.find(why) != std::string::npos;
        });
        return down ? testing::AssertionSuccess() : testing::AssertionFailure() << said << log();
    }
    std::string log() {
        const std::scoped_lock lock(mutex_);
        return log_;
    }
    net::Loop& loop() { return loop_; }
    Store& store() { return *store_; }
    const Counters& counters() { return store_->counters(); }

private:
    net::Loop loop_{0};
    std::mutex mutex_;
    std::string log_;
    bool inside_ = false;  // a call(); on the loop
    std::unique_ptr<Store> store_;
};

}  // namespace weir::shared::test
