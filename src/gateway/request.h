// One request as weir knows it before anything is sent: who asks, for what, from where, with which
// body. It is filled in three steps: admit_head(), read_body(), admit_body().
#pragma once

#include "bedrock/operation.h"
#include "bedrock/request.h"
#include "codec/sigv4.h"
#include "gateway/answer.h"
#include "gateway/response_memory.h"
#include "gateway/snapshot.h"
#include "net/buffered_bytes.h"
#include "net/server.h"

#include <weir/types.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::gateway {

class Worker;

/// A field's value; empty: it is not there.
std::string_view text_of(const codec::Head& head, std::string_view name);

/// What the caller asks of weir itself, by x-weir-* and the SDK's own fields.
struct Directives {
    Priority priority = Priority::standard;
    std::optional<Duration> deadline;  // x-weir-deadline-ms, from arrival
    std::string_view invocation;       // amz-sdk-invocation-id
    int sdk_attempt = 0;               // 0: not told
    std::string_view tag;              // x-weir-tag, for the ledger of costs; empty: none
};

struct RequestBody {
    explicit RequestBody(std::atomic<std::uint64_t>& total) : bytes(total) {}

    std::string text;
    net::BufferedBytes bytes;  // of text
    codec::Digest digest{};
    std::optional<codec::Digest> claimed;  // what the head says it is, and has signed

    /// It will not be sent again. A small one stays until the request ends.
    void free();
};

/// Views point into the head, which outlives the request, and into the snapshot. Not movable: some
/// point into itself.
struct Request {
    Request(std::shared_ptr<const Snapshot> with, net::Downstream& from,
            std::atomic<std::uint64_t>& buffered);
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    std::shared_ptr<const Snapshot> snapshot;
    const codec::Head& head;
    std::string_view peer;
    int http_version;

    Identity identity;
    bedrock::Match match;
    bedrock::Dialect dialect = bedrock::Dialect::aws;
    std::string_view target;  // without the client prefix
    std::string own_target;   // `target` is a view of it: another operation's path
    std::string_view model;   // aliases resolved
    Family family = Family::unknown;
    bool says_text = true;  // false: the model answers with vectors, scores, images or video
    std::string_view home_region;
    bool stream = false;
    bool stateful = false;   // leans on what its home Region keeps
    bool add_usage = false;  // weir asks for the stream's usage in the client's stead
    std::optional<ResponseMemory::Made> kept;  // what it leans on
    Directives directives;
    RequestBody body;
    bedrock::RequestFacts facts;

    bedrock::Operation operation() const { return match.operation; }
    bool is_inference() const { return bedrock::is_inference(match.operation); }
    /// Its name; empty: none that is configured.
    std::string_view configured_client() const {
        return identity.client != nullptr ? identity.name : std::string_view();
    }
    /// Whose the things are that this call makes; empty: nobody's in particular.
    std::string_view tenant() const;
    /// Whether there are several tenants, each known by a key: then what nobody here is known to
    /// have made may be another's.
    bool others_share() const;
};

using Admitted = std::expected<void, ErrorAnswer>;

/// What the head alone can prove: that the caller may, that the operation is one, that its Region
/// is there. `unix_seconds`: wall time.
Admitted admit_head(Request& request, Worker& worker, std::int64_t unix_seconds);

/// Reads the body whole, hashing as it comes. An error without a type: the client is gone.
net::Task<Admitted> read_body(Request& request, net::Downstream& from, Worker& worker);

/// What the body alone can prove: its signature; on the OpenAI and Anthropic paths model and
/// stream; whose the things are that it leans on; what a client's own limit lets pass.
Admitted admit_body(Request& request, Worker& worker);

/// An inference call as the engine needs to know it; `request.facts` are read on the way.
std::expected<Call, ErrorAnswer> to_call(Request& request, Worker& worker, CallId id,
                                         Instant arrival);

/// The service of a Region that takes it.
Service service_of(const Request& request, Endpoint endpoint);

/// The client's `models`, and its `regions` where the model's ARN names one.
Admitted admit_model(const Request& request);
/// The client's `regions`. Empty: none is named.
Admitted admit_named_region(const Request& request, std::string_view region);
/// What the model's name alone tells.
void take_model_facts(Request& request);
Admitted check_signature(Request& request, Worker& worker, const codec::Digest& body);

}  // namespace weir::gateway
