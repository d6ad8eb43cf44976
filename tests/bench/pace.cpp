// Sends one request over and over at a constant rate, whether or not the answers have come, and
// says how long they took.
//   pace PORT PATH REQUESTS-A-SECOND SECONDS BODY-FILE [FIELD...]
// A request's time counts from the moment it was due, so one that had to wait for a connection has
// waited; there are 64. Prints one line of JSON.
#include "codec/http1.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using weir::codec::BodyReader;
using weir::codec::Head;
using weir::codec::HeadReader;

constexpr int kConnections = 64;
constexpr auto kLongestAnswer = std::chrono::seconds(10);  // behind the last request

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "pace: %s\n", why.c_str());
    std::exit(1);
}

class Connection {
public:
    explicit Connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            fail("cannot connect to port " + std::to_string(port));
        const int on = 1;
        ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    ~Connection() { ::close(socket_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    int socket() const { return socket_; }
    Clock::time_point due() const { return due_; }

    void send(std::string_view request, Clock::time_point due) {
        due_ = due;
        if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(request.size()))
            fail("a request could not be sent");
    }

    /// True: the answer is all there.
    bool receive() {
        std::array<char, 16384> block{};
        const auto got = ::recv(socket_, block.data(), block.size(), 0);
        if (got <= 0)
            fail("a connection was closed");
        held_.append(block.data(), static_cast<std::size_t>(got));
        if (!in_body_) {
            Head head;
            const auto read = reader_.read(held_, head);
            if (!read || (*read && head.status != 200))
                fail("an answer was not 200: " + held_.substr(0, 200));
            if (!*read)
                return false;
            body_ = BodyReader(head.framing, head.content_length);
            held_.erase(0, **read);
            reader_.reset();
            in_body_ = true;
        }
        for (;;) {
            const auto step = body_.next(held_);
            if (!step)
                fail("a broken body");
            held_.erase(0, step->consumed);
            if (step->done) {
                in_body_ = false;
                return true;
            }
            if (step->consumed == 0)
                return false;
        }
    }

private:
    int socket_;
    Clock::time_point due_;
    HeadReader reader_{HeadReader::Side::response};
    BodyReader body_;
    std::string held_;
    bool in_body_ = false;
};

class Pace {
public:
    Pace(int port, std::string request, double rate, double seconds)
        : request_(std::move(request)),
          gap_(
              std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / rate))),
          total_(static_cast<std::size_t>(rate * seconds)),
          poll_(::epoll_create1(EPOLL_CLOEXEC)) {
        for (int i = 0; i < kConnections; ++i) {
            auto& made = connections_.emplace_back(port);
            epoll_event event{.events = EPOLLIN, .data = {.ptr = &made}};
            ::epoll_ctl(poll_, EPOLL_CTL_ADD, made.socket(), &event);
            idle_.push_back(&made);
        }
        // Else a wait may last 50 microseconds longer than asked.
        ::prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
    }
    ~Pace() { ::close(poll_); }
    Pace(const Pace&) = delete;
    Pace& operator=(const Pace&) = delete;

    void run() {
        next_ = Clock::now() + gap_;
        while (times_.size() < total_) {
            send_what_is_due();
            wait();
        }
    }

    void print() {
        std::ranges::sort(times_);
        const auto at = [this](double share) {
            const auto index = static_cast<std::size_t>(share * static_cast<double>(total_ - 1));
            return std::chrono::duration<double, std::micro>(times_[index]).count();
        };
        std::printf("{\"requests\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"waited\": %zu}\n",
                    total_, at(0.5), at(0.99), waited_);
    }

private:
    void send_what_is_due() {
        const auto now = Clock::now();
        for (; made_due_ < total_ && next_ <= now; next_ += gap_, ++made_due_)
            due_.push_back(next_);
        while (!due_.empty() && !idle_.empty()) {
            idle_.back()->send(request_, due_.front());
            idle_.pop_back();
            due_.pop_front();
        }
        waited_ = std::max(waited_, due_.size());
    }

    void wait() {
        const auto now = Clock::now();
        if (made_due_ == total_ && now > next_ + kLongestAnswer)
            fail("an answer did not come");
        const auto until = made_due_ == total_ ? kLongestAnswer : std::max(next_ - now, {});
        const auto whole = std::chrono::floor<std::chrono::seconds>(until);
        const timespec timeout{.tv_sec = whole.count(), .tv_nsec = (until - whole).count()};
        std::array<epoll_event, kConnections> events{};
        const int ready = ::epoll_pwait2(poll_, events.data(), kConnections, &timeout, nullptr);
        for (int i = 0; i < ready; ++i) {
            auto* connection =
                static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (connection->receive()) {
                times_.push_back(Clock::now() - connection->due());
                idle_.push_back(connection);
            }
        }
    }

    std::string request_;
    Clock::duration gap_;
    std::size_t total_;
    int poll_;
    std::deque<Connection> connections_;
    std::vector<Connection*> idle_;
    std::deque<Clock::time_point> due_;
    std::vector<Clock::duration> times_;
    Clock::time_point next_;
    std::size_t made_due_ = 0;
    std::size_t waited_ = 0;  // the most that had to wait for a connection at once
};

}  // namespace

int main(int count, char** arguments) {
    if (count < 6)
        fail("usage: pace PORT PATH REQUESTS-A-SECOND SECONDS BODY-FILE [FIELD...]");
    std::ifstream file(arguments[5], std::ios::binary);
    const std::string body{std::istreambuf_iterator<char>(file), {}};
    std::string request;
    weir::codec::append_request_line(request, "POST", arguments[2]);
    request += "Host: localhost\r\n";
    for (int i = 6; i < count; ++i)
        request += std::string(arguments[i]) + "\r\n";
    weir::codec::append_field(request, "Content-Length", std::to_string(body.size()));
    request += "\r\n" + body;
    const double rate = std::atof(arguments[3]);
    const double seconds = std::atof(arguments[4]);
    if (rate <= 0 || seconds <= 0)
        fail("rate and seconds are above zero");
    Pace pace(std::atoi(arguments[1]), std::move(request), rate, seconds);
    pace.run();
    pace.print();
    return 0;
}
