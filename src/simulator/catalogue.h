// The small operations round inference: control plane, async invocations, guardrails.
#pragma once

#include "simulator/refusal.h"
#include "simulator/request.h"

#include <weir/time.h>

#include <deque>
#include <expected>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::simulator {

/// Answers from a list of models and a memory of the last asynchronous invocations. Thread-safe.
class Catalogue {
public:
    Catalogue(std::string region, std::vector<std::string> models);

    /// `path.action` is one of the operations that are not inference and not count-tokens.
    /// `unix_seconds`: wall time, for the dates in answers.
    std::expected<std::string, ErrorAnswer> answer(const Path& path, std::string_view body,
                                                   const std::string& fresh_id,
                                                   std::int64_t unix_seconds);

    /// A response of the Responses API that may be asked for again, or built upon.
    void keep_response(const std::string& id, std::string body, std::uint64_t tokens);
    /// Tokens of the turns up to that response; nullopt: this Region does not keep it.
    std::optional<std::uint64_t> kept_tokens(const std::string& id);

private:
    struct Kept {
        std::string id;
        std::string body;
        std::uint64_t tokens = 0;
    };
    std::expected<std::string, ErrorAnswer> kept_response(const Path& path);

    struct Invocation {
        std::string arn;
        std::string model;
        std::string token;
        std::string s3_uri;
        std::int64_t started = 0;
    };
    std::expected<std::string, ErrorAnswer> start_async(std::string_view body,
                                                        const std::string& fresh_id,
                                                        std::int64_t unix_seconds);

    const std::string region_;
    const std::vector<std::string> models_;
    std::mutex mutex_;
    std::deque<Invocation> invocations_;  // oldest first, bounded
    std::deque<Kept> kept_;               // likewise
};

/// Has the id a geography's prefix, such as `us.`?
bool is_profile(std::string_view model);

/// 2026-11-24T01:02:03Z
std::string iso_date(std::int64_t unix_seconds);

}  // namespace weir::simulator
