// The demo's programs: coroutines that call, wait and retry as real ones do, over real sockets.
#pragma once

#include "cli/demo_report.h"
#include "cli/demo_trace.h"
#include "codec/sigv4.h"
#include "net/upstream.h"
#include "plan/client_retry.h"
#include "simulator/random.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir::cli {

enum class Strategy : std::uint8_t { article, sdk, sdk_then_other };

/// One way of calling, and what came of it. Lives on one loop; the counters may be read anywhere.
class DemoLoad {
public:
    struct Settings {
        std::string key;
        std::string name;
        Strategy strategy = Strategy::sdk;
        std::vector<std::string> urls;  ///< the home Region, then the other; or a gateway
        std::vector<std::string> regions;
        std::string model;
        codec::SigningCredentials credentials;
        double compression = 10;
        std::uint64_t seed = 0;
    };

    DemoLoad(net::Loop& loop, const DemoTrace& trace, Settings settings);
    ~DemoLoad();

    /// Sends the whole trace, starting at `start`, and returns when every call has ended.
    net::Task<void> run(Instant start);

    std::size_t calls_ended() const { return ended_.load(std::memory_order_relaxed); }
    std::size_t calls_served() const { return served_.load(std::memory_order_relaxed); }
    bool finished() const { return finished_.load(std::memory_order_acquire); }
    /// After finished(): what happened. The counts of the stand-in are for the caller to fill in.
    DemoRow row() const;

private:
    struct Answer;
    struct Call;
    net::Task<void> call(std::uint32_t index, Instant arrival);
    net::Task<Answer> attempt(const Call& call, std::size_t place, int number, Instant deadline);
    net::Task<bool> try_region(const Call& call, std::size_t place, Instant deadline);
    std::string head_of(const Call& call, std::size_t place, int number, std::size_t place_host);
    Duration compressed(double seconds) const { return from_seconds(seconds / compression_); }

    net::Loop& loop_;
    const DemoTrace& trace_;
    Settings settings_;
    double compression_;
    simulator::Random random_;
    codec::Signer signer_;
    std::vector<std::unique_ptr<net::Pool>> pools_;
    std::vector<plan::SdkRetry> buckets_;  // one a client: each is a program of its own
    std::vector<DemoOutcome> outcomes_;
    std::size_t open_ = 0;
    std::atomic<std::size_t> ended_{0};
    std::atomic<std::size_t> served_{0};
    std::atomic<bool> finished_{false};
};

}  // namespace weir::cli
