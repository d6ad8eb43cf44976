// A quota that nobody told, learned from what the service accepts and refuses.
#pragma once

#include <weir/engine_state.h>
#include <weir/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace weir::policy {

/// What is learned is forgotten so many windows after the last refusal.
inline constexpr int kRememberedWindows = 60;

/// One refusal says little: what was accepted in a quiet minute is no limit, and another program's
/// use or a service that sheds load is none either. So there is no limit until two refusals, with
/// an acceptance between them, come at about the same use. From then on it is the most that was
/// accepted in a window, and grows with what probes beyond it get.
///
/// An overestimate costs little: the meter puts refusals below the limit down to others' use and
/// leaves that free for a while. An underestimate would hold calls back for nothing. So the limit
/// is never below the highest accepted window of the last 60, nor below 60 requests or two of the
/// largest calls accepted. It is forgotten after 60 windows without a refusal.
///
/// Instances that share the quota have one limit: what one of them learns the others adopt, and
/// what was accepted counts for all of them, whoever sent it.
class LearnedLimit {
public:
    LearnedLimit(LimitKind kind, Duration window);

    const std::optional<std::uint64_t>& limit() const { return limit_; }
    /// The highest use accepted in the last 60 windows.
    std::uint64_t peak() const;

    /// When a refusal last confirmed limit(); Instant::min(): never.
    Instant refused_at() const { return refused_at_; }

    /// `reach`: what is used with this attempt, when it was sent.
    void accepted(std::uint64_t reach, std::uint64_t amount, Instant now);
    /// Since this was called last, for those who share the quota.
    struct News {
        std::uint64_t peak = 0;  ///< the highest use accepted
        bool refused = false;    ///< while there was a limit
    };
    News take_news() { return std::exchange(news_, {}); }
    /// The highest use that the service has accepted lately from all who share the quota.
    void hear_peak(std::uint64_t peak) { others_peak_ = peak; }
    /// Another one has learned it, and it was confirmed then.
    void adopt(std::uint64_t limit, Instant confirmed);
    void forget();
    /// `news`: neither on its way when another was refused, nor refused again by itself.
    void refused(std::uint64_t reach, bool news, Instant now);
    void tick(Instant now);
    EngineState::Learned remember(Instant now) const;
    void recall(const EngineState::Learned& past, Duration age, Instant now);
    /// What another one of the same kind and time has learned holds as well: the higher counts.
    void join(const LearnedLimit& other);

private:
    static constexpr std::size_t kParts = 6;

    std::uint64_t least() const;

    LimitKind kind_;
    Duration window_;
    std::optional<std::uint64_t> limit_;
    std::array<std::uint64_t, kParts> peaks_{};  // of ten windows each
    std::int64_t part_ = 0;                      // of the present ones
    std::uint64_t largest_ = 0;                  // amount accepted
    std::uint64_t disputed_ = 0;                 // use at the latest refusal; 0: none
    Instant refused_at_ = Instant::min();
    std::uint64_t others_peak_ = 0;
    News news_;
};

}  // namespace weir::policy
