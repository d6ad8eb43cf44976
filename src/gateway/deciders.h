// The three that decide on calls.
#pragma once

#include "gateway/call_flow.h"
#include "gateway/engine_gate.h"
#include "gateway/observe_gate.h"
#include "gateway/request.h"

#include <string_view>

namespace weir::gateway {

/// The engine. `name` is the call's in the engine's notices, which go into `log`.
class EngineDecider final : public Decider {
public:
    EngineDecider(EngineGate& gate, CallId id, std::string_view name, const LogSink& log)
        : gate_(gate), id_(id), name_(name), log_(log) {}

    Decision offer(const Call& call) override { return gate_.offer(call, &standing_); }
    const Standing* standing() const override { return &standing_; }
    void sent() override { gate_.sent(id_); }
    void began() override { gate_.began(id_); }
    Decision report(const Failure& failure) override;
    void settle(const Usage& usage) override { gate_.complete(id_, usage); }
    void cancel(const std::optional<Usage>& so_far) override { gate_.cancel(id_, so_far); }

private:
    EngineGate& gate_;
    CallId id_;
    std::string_view name_;
    const LogSink& log_;
    Standing standing_;
};

/// Without an engine's word a call goes to one place, as it came, and again there only where it has
/// not been sent: a kept connection had closed, or the keys were refused.
class AsItCame : public Decider {
public:
    explicit AsItCame(const Request& request);

    Decision offer(const Call& call) override;
    void sent() override {}
    void began() override {}
    Decision report(const Failure& failure) override;
    void settle(const Usage& /*usage*/) override {}
    void cancel(const std::optional<Usage>& /*so_far*/) override {}

private:
    static constexpr int kMostTries = 3;

    Decision again() const;

    Target target_;
    Grant grant_;
    bool refreshed_ = false;
};

/// `mode: observe`: an engine in the call's shadow notes what it would have done.
class ShadowDecider final : public AsItCame {
public:
    ShadowDecider(const Request& request, ObserveGate& shadow, CallId id);

    Decision offer(const Call& call) override;
    Decision report(const Failure& failure) override;
    void settle(const Usage& usage) override;
    void cancel(const std::optional<Usage>& so_far) override;

private:
    void ended(policy::Shadow::Outcome::Kind kind, const Usage& usage);

    ObserveGate& shadow_;
    CallId id_;
    Instant began_;
};

}  // namespace weir::gateway
