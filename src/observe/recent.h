// GET /requests: recent requests in brief, the newest first. Each leads to its explanation.
#pragma once

#include "observe/life.h"
#include "observe/life_ring.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::observe {

/// Which requests are asked for; an empty member means any.
struct RecentQuery {
    static constexpr std::size_t kMost = 200;
    /// How many kept requests of a worker are looked at: it serves nobody meanwhile.
    static constexpr std::size_t kMostSeen = 2'000;
    /// `outcome` of all kept requests, and of those under way.
    static constexpr std::string_view kAll = "all";
    static constexpr std::string_view kUnderWay = "under_way";

    std::string client = {};  ///< `none`: without a name
    std::string account = {}, region = {}, model = {};
    /// As in weir_requests_total, kAll or kUnderWay. Empty: those that waited, failed, were refused
    /// or went elsewhere.
    std::string outcome = {};
    std::size_t limit = 50;  ///< at most kMost
};

struct RecentRequest {
    std::int64_t unix_ms = 0;
    Moment ended = kNever;
    Moment first_content = kNever;
    Moment queued = 0;
    std::uint32_t attempts = 0;
    int status = 0;
    bool stream = false;
    std::string id, client, operation, model;
    std::string account, region, target_model;  ///< of the last attempt; empty: none was made
    std::string outcome, reason, error;
};

/// Nullopt: it is none of those asked for. A Region, model or account is meant wherever the request
/// waited, was sent or was refused, and its model as the caller named it.
std::optional<RecentRequest> in_brief(std::string_view packed, const RecentQuery& query);

/// The newest of what has been looked at.
class RecentRequests {
public:
    explicit RecentRequests(RecentQuery query) : query_(std::move(query)) {}

    const RecentQuery& query() const { return query_; }
    void add(std::string_view packed);
    /// Of those kept by one worker.
    void add(const Lives& lives);
    /// {"requests": [...], "complete", "looked_at"}; members as in docs/operations.md.
    std::string json() const;

private:
    void keep(RecentRequest&& one);

    RecentQuery query_;
    std::vector<RecentRequest> found_;  // the newest first
    std::size_t seen_ = 0;
    bool complete_ = true;  // nothing that is kept was left unseen
};

}  // namespace weir::observe
