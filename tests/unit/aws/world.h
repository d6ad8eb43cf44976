// A world for the credentials chain to look at: variables, files, and an HTTP service on loopback.
#pragma once

#include "aws/credentials.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weir::aws::test {

using namespace std::chrono_literals;

/// The flag that would stop a call, never set.
inline const std::atomic<bool> kGoOn{false};

struct SeenRequest {
    std::string method;
    std::string path;
    std::string text;  // head and body as they came
    bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
};
struct Reply {
    int status = 200;
    std::string body;
    std::vector<std::string> headers = {};
};

/// Answers one request a connection, one connection at a time, from a thread of its own.
class LocalService {
public:
    explicit LocalService(std::function<Reply(const SeenRequest&)> handler)
        : handler_(std::move(handler)),
          listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::listen(listener_, 16) != 0) {
            std::abort();
        }
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~LocalService() {
        stop_ = true;
        thread_.join();
        ::close(listener_);
    }
    LocalService(const LocalService&) = delete;
    LocalService& operator=(const LocalService&) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    std::vector<SeenRequest> seen() const {
        std::lock_guard lock(mutex_);
        return seen_;
    }

private:
    void run() {
        while (!stop_) {
            pollfd ready{listener_, POLLIN, 0};
            if (::poll(&ready, 1, 20) <= 0) {
                continue;
            }
            int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            timeval patience{2, 0};
            ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
            serve(fd);
            ::close(fd);
        }
    }

    void serve(int fd) {
        SeenRequest request;
        std::size_t whole = std::string::npos;
        std::array<char, 4096> block{};
        while (request.text.size() < whole) {
            ssize_t n = ::recv(fd, block.data(), block.size(), 0);
            if (n <= 0) {
                return;
            }
            request.text.append(block.data(), static_cast<std::size_t>(n));
            std::size_t head = request.text.find("\r\n\r\n");
            if (head != std::string::npos && whole == std::string::npos) {
                std::size_t length = request.text.find("Content-Length: ");
                whole =
                    head + 4 + (length < head ? std::stoul(request.text.substr(length + 16)) : 0);
            }
        }
        std::size_t space = request.text.find(' ');
        request.method = request.text.substr(0, space);
        request.path =
            request.text.substr(space + 1, request.text.find(' ', space + 1) - space - 1);
        {
            std::lock_guard lock(mutex_);
            seen_.push_back(request);
        }
        Reply reply = handler_(request);
        std::string out =
            "HTTP/1.1 " + std::to_string(reply.status) +
            " x\r\nConnection: close\r\nContent-Length: " + std::to_string(reply.body.size()) +
            "\r\n";
        for (const std::string& header : reply.headers) {
            out += header + "\r\n";
        }
        out += "\r\n" + reply.body;
        ::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
    }

    std::function<Reply(const SeenRequest&)> handler_;
    int listener_;
    int port_ = 0;
    std::atomic<bool> stop_{false};
    mutable std::mutex mutex_;
    std::vector<SeenRequest> seen_;
    std::thread thread_;
};

/// Variables and a home directory that nobody else sees. IMDS is off unless a test asks for it.
class World {
public:
    World() {
        std::string name = "/tmp/weir-aws-XXXXXX";
        home_ = ::mkdtemp(name.data());
        set("AWS_EC2_METADATA_DISABLED", "true");
    }
    ~World() {
        std::error_code ignored;
        std::filesystem::remove_all(home_, ignored);
    }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    void set(const std::string& name, const std::string& value) { variables_[name] = value; }

    const std::string& home() const { return home_; }

    /// Writes by renaming, as tools that rotate secrets do. Gives the path.
    std::string file(const std::string& name, const std::string& text) const {
        std::filesystem::path path = std::filesystem::path(home_) / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path.string() + ".new") << text;
        std::filesystem::rename(path.string() + ".new", path);
        return path;
    }

    Environment environment() const {
        Environment made;
        made.home = home_;
        made.aws = aws;
        made.container_endpoint = container;
        made.variable = [copy = variables_](const std::string& name) -> std::optional<std::string> {
            auto found = copy.find(name);
            return found == copy.end() ? std::nullopt : std::optional(found->second);
        };
        return made;
    }

    AwsConfig aws;
    std::string container;

private:
    std::string home_;
    std::map<std::string, std::string> variables_;
};

/// Collects what the provider logs.
class Log {
public:
    LogSink sink() {
        return [this](LogLevel, std::string_view line) {
            std::lock_guard lock(mutex_);
            lines_.emplace_back(line);
        };
    }
    std::string all() const {
        std::lock_guard lock(mutex_);
        std::string out;
        for (const std::string& line : lines_) {
            out += line + "\n";
        }
        return out;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

/// Waits for another thread's work; the limit is for broken code alone.
inline bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit = 20s) {
    auto deadline = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(5ms);
    }
    return true;
}

inline std::string timestamp(std::chrono::seconds from_now) {
    std::time_t at =
        std::chrono::system_clock::to_time_t(std::chrono::system_clock::now() + from_now);
    std::tm parts{};
    ::gmtime_r(&at, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text.data();
}

inline std::string json_keys(const std::string& id, std::chrono::seconds life) {
    return R"({"Code":"Success","AccessKeyId":")" + id +
           R"(","SecretAccessKey":"s","Token":"t","Expiration":")" + timestamp(life) + R"("})";
}

/// The outcome a report gives for a source whose name begins so; empty if there is none.
inline std::string outcome(const CredentialsProvider& provider, const std::string& source) {
    for (const SourceReport& report : provider.report()) {
        if (report.source.starts_with(source)) {
            return report.outcome;
        }
    }
    return "";
}

/// What a provider came to that was started once.
struct Outcome {
    std::shared_ptr<const Credentials> keys;
    std::vector<SourceReport> reports;
    std::string log;

    std::string of(const std::string& source) const {
        for (const SourceReport& report : reports) {
            if (report.source.starts_with(source)) {
                return report.outcome;
            }
        }
        return "";
    }
};

inline Outcome run(const World& world, const CredentialsConfig& config = {}) {
    Log log;
    CredentialsProvider provider(config, world.environment(), log.sink());
    provider.start();
    return {provider.get(), provider.report(), log.all()};
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace weir::aws::test
