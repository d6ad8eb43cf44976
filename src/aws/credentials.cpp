#include "aws/credentials.h"

#include "aws/source.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace weir::aws {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// Never slept past: the wall clock may jump, and expiries are told by it.
constexpr milliseconds kLongestSleep = std::chrono::seconds(60);

/// Enough of a file's state to notice that it was written or replaced.
struct Stamp {
    ino_t inode = 0;
    off_t size = 0;
    std::int64_t modified = 0;

    bool operator==(const Stamp&) const = default;
};

std::vector<Stamp> stamps_of(const std::vector<std::string>& files) {
    std::vector<Stamp> stamps;
    for (const std::string& file : files) {
        struct stat state{};
        Stamp stamp;
        if (::stat(file.c_str(), &state) == 0) {
            stamp.inode = state.st_ino;
            stamp.size = state.st_size;
            stamp.modified = state.st_mtim.tv_sec * 1'000'000'000LL + state.st_mtim.tv_nsec;
        }
        stamps.push_back(stamp);
    }
    return stamps;
}

bool same_keys(const Credentials& a, const Credentials& b) {
    return a.access_key_id == b.access_key_id && a.secret_access_key == b.secret_access_key &&
           a.session_token == b.session_token && a.bearer_token == b.bearer_token &&
           a.expiry == b.expiry;
}

}  // namespace

/// The thread alone fetches, so there is never more than one fetch under way, whoever asks. The
/// mutex guards what get(), report() and refresh() see, and is never held while fetching.
struct CredentialsProvider::Impl {
    struct Request {
        std::shared_ptr<const Credentials> stale;
        std::function<void()> done;
    };

    Impl(std::vector<std::unique_ptr<Source>> chain_, bool client_bearer_, LogSink log_,
         CredentialsTiming timing_)
        : client_bearer(client_bearer_),
          chain(std::move(chain_)),
          log(std::move(log_)),
          timing(timing_) {}

    /// When the thread fetches next, and why.
    struct Schedule {
        std::vector<Stamp> stamps;     // of the winner's files
        milliseconds backoff{0};       // of the latest failure
        Steady::time_point fetched{};  // end of the latest fetch
        std::optional<Steady::time_point> retry_at;
        std::optional<WallTime> refresh_at;
        std::minstd_rand random{std::random_device{}()};
    };
    struct Latest {
        bool failing = false;      // it gave nothing
        bool nothing_new = false;  // it gave what was there already, or nothing
        bool expiry_told = false;  // the log knows that the current ones are expired
    };

    // Immutable once made, or the thread's own.
    const bool client_bearer;
    const std::vector<std::unique_ptr<Source>> chain;
    const LogSink log;
    const CredentialsTiming timing;
    Source* winner = nullptr;  // the source that gave; later fetches ask it alone
    Schedule schedule;
    Latest latest;

    std::atomic<bool> stop{false};
    mutable std::mutex mutex;
    std::condition_variable changed;
    std::shared_ptr<const Credentials> current;
    std::vector<SourceReport> reports;
    std::vector<Request> requests;
    bool started = false;
    bool first_done = false;
    std::thread thread;

    void say(LogLevel level, const std::string& message) const {
        if (log) {
            log(level, message);
        }
    }

    void run();
    void serve(std::vector<Request> asked, bool due);
    bool due();
    milliseconds sleep_time();
    void fetch();
    void fetch_chain();
    void fetch_winner();
    void take(const Credentials& fresh);
    void failed(const std::string& why);
    bool worrying() const;
    void plan_refresh(const Credentials& fresh);
};

void CredentialsProvider::Impl::run() {
    fetch();
    {
        std::lock_guard lock(mutex);
        first_done = true;
    }
    changed.notify_all();
    while (true) {
        std::vector<Request> asked;
        milliseconds sleep = sleep_time();
        {
            std::unique_lock lock(mutex);
            changed.wait_for(lock, sleep, [&] { return stop.load() || !requests.empty(); });
            asked.swap(requests);
        }
        if (stop.load()) {
            for (Request& request : asked) {
                request.done();
            }
            return;
        }
        serve(std::move(asked), due());
    }
}

/// One fetch answers all who asked before it began. Whoever asks again right after a fetch that
/// changed nothing gets no other: a thousand refused calls must not become a thousand fetches.
void CredentialsProvider::Impl::serve(std::vector<Request> asked, bool due) {
    std::shared_ptr<const Credentials> have;
    {
        std::lock_guard lock(mutex);
        have = current;
    }
    bool stale = std::ranges::any_of(asked, [&](const Request& r) { return r.stale == have; });
    bool too_soon = latest.nothing_new && Steady::now() - schedule.fetched <
                                              std::min(timing.retry_first, milliseconds(1000));
    if (due || (stale && !too_soon)) {
        fetch();
    }
    for (Request& request : asked) {
        request.done();
    }
}

bool CredentialsProvider::Impl::due() {
    if (schedule.retry_at && Steady::now() >= *schedule.retry_at) {
        return true;
    }
    if (schedule.refresh_at && std::chrono::system_clock::now() >= *schedule.refresh_at) {
        return true;
    }
    return winner != nullptr && !schedule.stamps.empty() &&
           stamps_of(winner->files()) != schedule.stamps;
}

milliseconds CredentialsProvider::Impl::sleep_time() {
    milliseconds sleep = kLongestSleep;
    auto within = [&](auto left) {
        sleep = std::clamp(std::chrono::ceil<milliseconds>(left), milliseconds(0), sleep);
    };
    if (schedule.retry_at) {
        within(*schedule.retry_at - Steady::now());
    }
    if (schedule.refresh_at) {
        within(*schedule.refresh_at - std::chrono::system_clock::now());
    }
    if (!schedule.stamps.empty()) {
        within(timing.file_poll);
    }
    return sleep;
}

void CredentialsProvider::Impl::fetch() {
    schedule.retry_at.reset();
    schedule.refresh_at.reset();
    latest.nothing_new = true;
    if (winner != nullptr) {
        fetch_winner();
    } else if (!chain.empty()) {
        fetch_chain();
    } else {
        std::lock_guard lock(mutex);
        if (client_bearer) {
            reports = {{"client_bearer", "each caller's own Bedrock key is passed on"}};
        }
    }
    schedule.fetched = Steady::now();
}

void CredentialsProvider::Impl::fetch_chain() {
    std::vector<SourceReport> tried;
    std::optional<Credentials> found;
    bool ended = false;
    for (const auto& source : chain) {
        if (ended) {
            tried.push_back({source->name(), "not tried"});
            continue;
        }
        std::vector<Stamp> before = stamps_of(source->files());
        Fetched fetched_here = source->fetch(stop);
        if (stop.load()) {
            return;
        }
        if (auto* absent = std::get_if<Absent>(&fetched_here)) {
            tried.push_back({source->name(), absent->why});
        } else if (auto* broken = std::get_if<Broken>(&fetched_here)) {
            tried.push_back({source->name(), broken->why});
            ended = true;
        } else {
            found = std::move(std::get<Credentials>(fetched_here));
            tried.push_back({found->source, "used"});
            winner = source.get();
            schedule.stamps = std::move(before);
            ended = true;
        }
    }
    std::string line = found ? "credentials from " + found->source : "no credentials";
    for (const SourceReport& report : tried) {
        if (report.outcome != "used" && report.outcome != "not tried") {
            line += "; " + report.source + ": " + report.outcome;
        }
    }
    {
        std::lock_guard lock(mutex);
        reports = std::move(tried);
    }
    if (found) {
        say(LogLevel::info, line);
        take(*found);
    } else {
        failed(line);
    }
}

void CredentialsProvider::Impl::fetch_winner() {
    std::vector<Stamp> before = stamps_of(winner->files());
    Fetched got = winner->fetch(stop);
    if (stop.load()) {
        return;
    }
    schedule.stamps = std::move(before);
    if (auto* fresh = std::get_if<Credentials>(&got)) {
        if (std::exchange(latest.failing, false)) {
            say(LogLevel::info, "credentials from " + fresh->source + " again");
        }
        take(*fresh);
        return;
    }
    auto* absent = std::get_if<Absent>(&got);
    failed("the credentials from " + winner->name() + " could not be renewed and are kept: " +
           (absent != nullptr ? absent->why : std::get<Broken>(got).why));
}

void CredentialsProvider::Impl::take(const Credentials& fresh) {
    latest.failing = false;
    bool same = false;
    {
        std::lock_guard lock(mutex);
        same = current && same_keys(*current, fresh);
        if (!same) {
            current = std::make_shared<const Credentials>(fresh);
        }
    }
    latest.nothing_new = same;
    latest.expiry_told = latest.expiry_told && same;
    plan_refresh(fresh);
}

void CredentialsProvider::Impl::failed(const std::string& why) {
    latest.failing = true;
    schedule.backoff = schedule.backoff.count() == 0
                           ? timing.retry_first
                           : std::min(schedule.backoff * 2, timing.retry_most);
    schedule.retry_at = Steady::now() + schedule.backoff;
    say(worrying() ? LogLevel::warn : LogLevel::info, why);
}

/// Nothing is lost yet while the keys at hand last beyond `mandatory`.
bool CredentialsProvider::Impl::worrying() const {
    std::lock_guard lock(mutex);
    return !current || !current->expiry ||
           *current->expiry - std::chrono::system_clock::now() < timing.mandatory;
}

/// Within the first half of the time between advisory and mandatory, so that a fleet started
/// together does not ask together. New keys that live shorter than that are renewed at half their
/// life; what a service hands out of its cache is asked for again at most retry_most later.
void CredentialsProvider::Impl::plan_refresh(const Credentials& fresh) {
    schedule.backoff = milliseconds(0);
    if (!fresh.expiry) {
        return;
    }
    const WallTime now = std::chrono::system_clock::now();
    const auto left = std::chrono::floor<milliseconds>(*fresh.expiry - now);
    if (left <= milliseconds(0) && !std::exchange(latest.expiry_told, true)) {
        say(LogLevel::warn, "the credentials from " + fresh.source + " are expired");
    }
    milliseconds wait = std::max(left / 2, timing.retry_first);
    if (left > timing.advisory) {
        const auto most = std::max(timing.advisory - timing.mandatory, milliseconds(0)).count() / 2;
        std::uniform_int_distribution<std::int64_t> jitter(0, most);
        wait = left - timing.advisory + milliseconds(jitter(schedule.random));
    } else if (latest.nothing_new) {
        wait = std::min(wait, timing.retry_most);
    }
    schedule.refresh_at = now + wait;
}

CredentialsProvider::CredentialsProvider(const CredentialsConfig& config,
                                         const Environment& environment, LogSink log,
                                         CredentialsTiming timing)
    : impl_(std::make_unique<Impl>(make_chain(config, environment),
                                   config.source == CredentialsSource::client_bearer,
                                   std::move(log), timing)) {}

CredentialsProvider::CredentialsProvider(const AccountConfig& account, BaseKeys base,
                                         const Environment& environment, LogSink log,
                                         CredentialsTiming timing) {
    std::vector<std::unique_ptr<Source>> chain;
    chain.push_back(make_account_source(account, std::move(base), environment));
    impl_ = std::make_unique<Impl>(std::move(chain), false, std::move(log), timing);
}

CredentialsProvider::~CredentialsProvider() {
    std::vector<Impl::Request> left;
    {
        std::lock_guard lock(impl_->mutex);
        impl_->stop.store(true);
    }
    impl_->changed.notify_all();
    if (impl_->thread.joinable()) {
        impl_->thread.join();
    }
    left.swap(impl_->requests);
    for (Impl::Request& request : left) {
        request.done();
    }
}

void CredentialsProvider::start() {
    std::unique_lock lock(impl_->mutex);
    if (!std::exchange(impl_->started, true)) {
        impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
    }
    impl_->changed.wait_for(lock, impl_->timing.start_wait, [&] { return impl_->first_done; });
}

std::shared_ptr<const Credentials> CredentialsProvider::get() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->current;
}

void CredentialsProvider::refresh(std::shared_ptr<const Credentials> stale,
                                  std::function<void()> done) {
    {
        std::lock_guard lock(impl_->mutex);
        impl_->requests.push_back({std::move(stale), std::move(done)});
    }
    impl_->changed.notify_all();
}

std::vector<SourceReport> CredentialsProvider::report() const {
    std::lock_guard lock(impl_->mutex);
    return impl_->reports;
}

}  // namespace weir::aws
