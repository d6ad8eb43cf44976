// One exchange with the stand-in: read, judged, admitted (exchange.cpp), then answered
// (exchange_answer.cpp).
#pragma once

#include "simulator/body_api.h"
#include "simulator/exchange.h"
#include "simulator/wordless.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace weir::simulator {

inline Instant now() {
    return std::chrono::steady_clock::now();
}

/// One exchange. Invariant: an admission ends exactly once; ended_ says whether it has.
class Exchange {
public:
    Exchange(net::Downstream& down, Desk desk)
        : down_(down), desk_(desk), pause_(down, desk.pauses) {}

    net::Task<void> run();

private:
    net::Task<bool> read();
    net::Task<void> refuse(ErrorAnswer answer);
    net::Task<void> say(std::string body, std::string_view extra);
    net::Task<void> count_tokens();
    net::Task<void> infer();
    net::Task<void> produce();
    net::Task<void> answer_whole();
    net::Task<void> answer_stream();
    net::Task<bool> fail_inside();
    net::Task<void> break_whole(std::string body);
    std::optional<ErrorAnswer> prepare();
    void settle(const TokenUse& used) {
        desk_.ledger->settle(model_, admission_.ticket, used, now());
    }
    void end(const TokenUse& used, Ending ending) { desk_.ledger->end(model_, used, ending); }
    void settle_and_end(const TokenUse& used, Ending ending) {
        settle(used);
        end(used, ending);
    }
    bool streams() const {
        return path_.action == Action::converse_stream || path_.action == Action::invoke_stream ||
               body_ask_.stream;
    }
    bool speaks_sse() const { return is_body_api(path_.action); }
    std::string stream_begin() const {
        return speaks_sse() ? api_stream_head(path_.action, admission_.generation)
                            : stream_head(admission_.generation, language_);
    }
    std::string stream_text(std::string_view text) const {
        return speaks_sse() ? api_stream_piece(path_.action, admission_.generation, text)
                            : stream_piece(admission_.generation, language_, text);
    }
    std::string stream_end() const {
        return speaks_sse()
                   ? api_stream_tail(path_.action, admission_.generation, body_ask_.include_usage)
                   : stream_tail(admission_.generation, language_);
    }
    std::string stream_failure() const {
        if (speaks_sse()) {
            return api_stream_error(path_.action, *fault_);
        }
        const StreamException exception = stream_exception(*fault_);
        return stream_error(exception.name, exception.payload);
    }
    std::string garbage() const;
    void keep();
    std::optional<ErrorAnswer> find_model();
    std::optional<ErrorAnswer> read_fields();
    std::string fields(std::string_view content_type) const {
        return "x-amzn-RequestId: " + request_id_ +
               "\r\nContent-Type: " + std::string(content_type) + "\r\n";
    }

    /// The tier that serves the call, where its body does not say it.
    std::string tier_field() const {
        const bool says =
            !admission_.generation.tier.empty() &&
            (path_.action == Action::invoke || path_.action == Action::invoke_stream ||
             path_.action == Action::messages);
        return says ? "X-Amzn-Bedrock-Service-Tier: " + admission_.generation.tier + "\r\n"
                    : std::string();
    }

    net::Downstream& down_;
    Desk desk_;
    Pause pause_;
    std::string body_;
    Path path_;
    std::string request_id_;
    std::string model_;  // empty until found
    Language language_ = Language::converse;
    Ask ask_;
    BodyAsk body_ask_;
    std::uint64_t maximum_ = 0;
    std::optional<FaultKind> fault_;
    Ledger::Admission admission_;
    Instant started_{};
};

}  // namespace weir::simulator
