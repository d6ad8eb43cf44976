#include "cli/top_command.h"

#include "cli/status_command.h"
#include "cli/top_screen.h"
#include "cli/top_view.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <ostream>
#include <thread>
#include <utility>

namespace weir::cli {
namespace {

/// Asks the gateway on a thread of its own, so that keys are heard while it is slow to answer.
class Reader {
public:
    Reader(std::string url, const Getenv& getenv, Duration every)
        : url_(std::move(url)),
          getenv_(getenv),
          every_(every),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}
    ~Reader() { leaving_ = true; }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// What has come since; nullopt: nothing.
    std::optional<GatewayReading> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(news_, std::nullopt);
    }

private:
    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            GatewayReading reading = read_gateway(url_, getenv_, leaving_);
            std::unique_lock lock(mutex_);
            news_ = std::move(reading);
            changed_.wait_for(lock, stop, every_, [] { return false; });
        }
    }

    std::string url_;
    const Getenv& getenv_;
    Duration every_;
    std::mutex mutex_;
    std::condition_variable_any changed_;  // waits for the end
    std::optional<GatewayReading> news_;
    std::atomic<bool> leaving_{false};  // ends a request under way
    std::jthread thread_;               // last: it uses the others
};

std::string clock_text() {
    return fmt::format("{:%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

void show(TopScreen& screen, Reader& reader, const std::string& url) {
    TopState state;
    std::optional<GatewayView> view;  // the last that came
    TopNews news;
    news.url = url;
    const GatewayView nothing;
    ScreenSize drawn_size;
    TopState drawn_state;
    bool stale = true;
    while (!state.quit && !screen.gone() && TopScreen::stopped_by() == 0) {
        if (auto reading = reader.take()) {
            news.error = std::move(reading->error);
            if (reading->view) {
                news.clock = clock_text();  // of the figures
                view = std::move(reading->view);
            }
            stale = true;
        }
        news.view = view ? &*view : nullptr;
        const ScreenSize size = screen.size();
        if (stale || size != drawn_size || state != drawn_state) {
            screen.draw(top_lines(news, state, size, screen.unicode()));
            drawn_size = size;
            drawn_state = state;
            stale = false;
        }
        const GatewayView& shown = view ? *view : nothing;
        state = pressed(state, screen.key(), rows_of(shown, state), room_for_rows(shown, size));
    }
}

}  // namespace

int run_top(const TopOptions& options, const Getenv& getenv, std::ostream& err) {
    const auto every = parse_duration(options.every);
    if (!every || *every < std::chrono::milliseconds(100)) {
        err << "weir top: --every: " << (every ? "must be 100ms or longer" : every.error().message)
            << '\n';
        return 2;
    }
    const auto url = admin_url(options.admin, getenv);
    if (!url) {
        err << "weir top: " << url.error().message << '\n';
        return 2;
    }
    {
        const auto screen = TopScreen::open(getenv);
        if (!screen) {
            err << "weir top: " << screen.error().message << '\n';
            return 2;
        }
        Reader reader(*url, getenv, *every);
        show(**screen, reader, *url);
    }
    const int number = TopScreen::stopped_by();
    return number == 0 ? 0 : 128 + number;
}

}  // namespace weir::cli
