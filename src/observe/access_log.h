// The access log: one JSON line a request, written by a thread of its own so that a blocked pipe or
// a full disk costs lines, never latency.
#pragma once

#include <weir/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::observe {

/// The fields of docs/operations.md. Empty views and unset optionals become null. Never a prompt or
/// a key.
struct AccessRecord {
    std::int64_t unix_ms = 0;  // ts, as ISO 8601 with ms
    std::string_view id, upstream_request_id, sdk_invocation_id, client, operation, model, tag,
        target_account, target_region, target_model, endpoint, tier, error, reason, outcome;
    int sdk_attempt = 0;  // 0: none told
    int status = 0;
    std::uint32_t attempts = 0;
    std::int64_t queued_ms = 0;
    std::optional<std::int64_t> ttft_ms;
    std::int64_t total_ms = 0;
    std::optional<std::uint64_t> estimated_input, reserved, input, output, cache_read, cache_write,
        max_tokens;
    std::optional<std::uint64_t> cost_nanodollars;  // cost_usd; unset: not known, or not all of it
    bool stream = false;
};

/// Formats one line, without its newline. Any byte string is safe in any field: invalid UTF-8 is
/// replaced, control bytes escaped, fields over 2 KiB cut.
void append_access_line(std::string& out, const AccessRecord& record);

/// Lines to a descriptor through a bounded buffer (4 MiB); what does not fit is dropped and
/// counted.
class LineWriter {
public:
    /// Told, on the writer's thread, how many lines were lost since it was told last; every ten
    /// seconds at most. It may write a line itself.
    using Lost = std::function<void(LineWriter& by, std::uint64_t lines)>;
    explicit LineWriter(int fd, Lost lost = {});
    ~LineWriter();                      // writes what is left, for at most a second
    void write(std::string_view line);  // adds the newline; never blocks on the descriptor
    std::uint64_t dropped() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::observe
