// One request from its first byte to its last. Read exchange.cpp from the top: it is the path. What
// it calls is in exchange_admit.cpp and exchange_body.cpp (before anything is sent),
// exchange_fetch.cpp (one send), exchange_answer.cpp and exchange_stream.cpp (the way back),
// exchange_record.cpp.
#pragma once

#include "bedrock/operation.h"
#include "bedrock/request.h"
#include "gateway/attempt.h"
#include "gateway/refusal.h"
#include "gateway/stream_relay.h"
#include "gateway/worker.h"
#include "net/buffered_bytes.h"
#include "net/server.h"
#include "net/signal.h"

#include <weir/types.h>

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::gateway {

Instant now();
std::int64_t unix_ms();
/// A field's value; empty: it is not there.
std::string_view text_of(const codec::Head& head, std::string_view name);

/// Promises: the request ends exactly once, by a forwarded answer, a typed error or an aborted
/// connection; a grant it was given ends exactly once, the client's leaving included; nothing is
/// retried after content reached the client; one line in the access log and one count in the
/// metrics.
class Exchange {
public:
    Exchange(Worker& worker, net::Downstream& downstream);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    net::Task<void> run();

    /// The engine's word on a call that waited.
    void deliver(const Decision& decision);
    /// The drain's time is over: what is still under way ends now, each in its own way.
    void drain_end();
    /// Whether this exchange may hold that Region.
    bool may_use(const Region& region) const;
    /// Tells the engine what a whole answer cost, if it has not been told.
    void settle_whole() noexcept;

private:
    enum class End : std::uint8_t {
        answered,
        failed,  // failure_ says how; the engine says what next
        gone,    // the client
        over,    // weir ends it: error_ is the answer, and no place is to blame
    };

    // What weir finds in the head; false: error_ is set.
    bool admit();
    bool admit_client();
    bool admit_model();
    bool admit_kept_region(std::string_view region);
    bool admit_region();
    bool admit_claim();
    bool admit_signature();
    bool check_signature(const codec::Digest& body);
    bool admit_asked();
    bool admit_body();
    void take_facts();
    bool admit_passed_on();
    bool admit_item();
    bool count_in_messages();
    bool within_client_limit();
    bool read_directives();

    net::Task<void> path();
    net::Task<void> fail_internally(std::exception_ptr failure);
    void log_exception(const std::exception_ptr& failure) const noexcept;
    net::Task<bool> read_body();
    net::Task<void> infer();
    net::Task<void> observe(const Call& call);
    net::Task<void> pass_on();
    net::Task<void> list_models();
    net::Task<Decision> turn(Decision decision);
    net::Task<End> attempt(const Grant& grant);
    net::Task<End> fetch(Region& region, Service service, std::string_view target,
                         std::string_view body, const codec::Digest& digest);
    net::Task<bool> connect(Region& region);
    net::Task<End> read_error();
    net::Task<End> relay_whole();
    net::Task<End> relay_large();
    net::Task<End> relay_stream(StreamRelay& relay);
    net::Task<End> finish_stream(StreamRelay& relay);
    net::Task<End> forward(StreamRelay& relay, const StreamRelay::Out& out);
    net::Task<End> show_life(StreamRelay& relay);
    net::Task<End> break_stream(StreamRelay& relay, std::string_view why);
    net::Task<End> cut_stream(StreamRelay& relay, const ErrorAnswer& error);
    net::Task<void> refresh_keys(Region& region);
    net::Task<void> answer(const ErrorAnswer& error);
    net::Task<void> answer_in_stream(const ErrorAnswer& error);
    net::Task<void> answer_refusal(const Refusal& refusal);

    bool prepare_head(Region& region, Service service, std::string_view target,
                      std::size_t body_size, const codec::Digest& digest);
    void set_failure(FailureClass cls, Stage stage, std::string message);
    void set_timed_out(Clock clock, Stage stage);
    Patience patience_for(Phase phase) const;
    End give_up(ErrorAnswer error);
    End stopped_end();
    bool stopped() const { return gone_ || drained_; }
    void connect_late();
    void lost(const net::NetFailure& failure);
    void free_body();
    void begin_attempt(bool elsewhere, Instant deadline);
    void hold_truncated();
    net::Task<void> answer_truncated();
    void add_weir_fields();
    void keep_head(const codec::Head& head);
    bool go_where_made(std::string_view response);
    bool others_share() const;
    std::string_view tenant() const;
    void remember_response(std::string_view id);
    void finish_passed_on();
    Service service() const;
    void bind(Call& call) const;
    std::string_view body_for(const Grant& grant, std::string& changed) const;
    std::string_view path_for(const Grant& grant, std::string& changed) const;
    void set_instead(const Grant& grant);
    std::string_view other_model(const Grant& grant) const;
    void release(bool reusable);
    void abandon() noexcept;
    void client_gone();
    void stop_waiting();
    void refresh_ended();
    void refuse(int status, std::string_view type, std::string message,
                std::string_view reason = {});
    void record();

    Worker& worker_;
    net::Downstream& downstream_;
    std::shared_ptr<const Snapshot> snapshot_;
    net::Signal signal_;
    CallId id_;
    std::unique_ptr<Texts> texts_;

    // the request
    Identity identity_;
    bedrock::Match match_;
    bedrock::Dialect dialect_ = bedrock::Dialect::aws;
    bool stream_ = false;
    bool stateful_ = false;   // leans on what its home Region keeps
    bool add_usage_ = false;  // weir asks for the stream's usage in the client's stead
    std::optional<ResponseMemory::Made> kept_;  // what it leans on
    std::string kept_as_;                       // the id under which its answer is remembered
    std::string_view target_;                   // without the client prefix
    std::string instead_of_target_;             // target_ is a view of it: another operation's path
    std::string_view model_;                    // aliases resolved
    std::string_view home_region_;
    Priority priority_ = Priority::standard;
    std::optional<Duration> deadline_;
    std::string_view invocation_;
    int sdk_attempt_ = 0;
    Family family_ = Family::unknown;
    bool says_text_ = true;  // false: the model answers with vectors, scores, images or video
    std::string& body_;
    net::BufferedBytes body_bytes_;  // of body_
    codec::Digest digest_{};
    std::optional<codec::Digest> claimed_;  // the body's, which the head says and has signed
    bedrock::RequestFacts facts_;

    // the attempt
    std::unique_ptr<net::UpstreamConnection> connection_;
    net::Pool* pool_ = nullptr;
    net::Pool::Interrupt interrupt_;
    std::shared_ptr<const aws::Credentials> keys_;
    std::string& upstream_head_;
    Instant attempt_started_{};
    AttemptTimes times_;
    bool fresh_ = false;  // the next attempt uses no kept connection
    bool late_ = false;   // connecting took too long
    Failure failure_;
    Grant grant_;
    Target as_it_came_;                  // of a call that is only observed
    std::vector<codec::Field> instead_;  // of the client's own fields
    Endpoint endpoint_ = Endpoint::runtime;
    Tier tier_ = Tier::unset;
    std::string& target_region_;
    std::string& target_model_;

    // its answer
    codec::Head& head_;
    std::string& head_bytes_;
    std::string& fields_;
    std::string& answer_body_;
    net::BufferedBytes answer_bytes_;  // of answer_body_, or what a stream's relay holds
    bool opened_ = false;              // the message that opens a stream is with the client
    struct UpstreamError {
        Failure failure;
        std::string fields;
        std::string body;
    };
    std::optional<UpstreamError> upstream_error_;
    /// A good answer that a lowered max_tokens cut short: given to the client only if the repeat
    /// with its own number comes to nothing.
    struct Truncated {
        int status;
        std::string fields;
        std::string body;
        std::string upstream_request_id;
        Usage usage;
    };
    std::optional<Truncated> truncated_;

    // how it went
    bool offered_ = false;    // the engine may know the call
    bool observed_ = false;   // or its shadow
    bool unsettled_ = false;  // the whole answer is here, what it cost not yet told
    std::optional<Decision> decided_;
    bool gone_ = false;
    bool drained_ = false;
    bool deadline_over_ = false;  // it ended the last attempt
    bool begun_ = false;
    bool refreshed_ = false;  // the keys, once
    bool refreshing_ = false;
    std::optional<ErrorAnswer> error_;
    Instant started_;
    Duration queued_{};
    Duration upstream_time_{};
    std::optional<Duration> first_token_;
    std::uint32_t attempts_ = 0;
    int status_ = 0;
    Usage usage_;
    observe::Outcome outcome_ = observe::Outcome::ok;
    observe::Outcome lost_ = observe::Outcome::cancelled;  // what the client's leaving comes to
    std::string_view reason_;
    std::string error_name_;
    bool repeated_ = false;
    std::string& request_id_;
    std::string& upstream_request_id_;
};

}  // namespace weir::gateway
