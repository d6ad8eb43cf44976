#include "gateway/request.h"

#include "bedrock/body_parts.h"
#include "gateway/spare_texts.h"
#include "gateway/worker.h"

#include <algorithm>

namespace weir::gateway {
namespace {

using bedrock::Operation;

/// No guardrail's name: none has a space.
constexpr std::string_view kSomeGuardrail = "a guardrail";

/// What keeps the call from going just anywhere.
void bind(Call& call, const Request& request) {
    if (bedrock::names_model_in_body(request.operation())) {
        call.reach = !request.kept                                ? Reach::both
                     : request.kept->endpoint == Endpoint::mantle ? Reach::mantle
                                                                  : Reach::runtime;
    }
    if (request.match.model.starts_with("arn:")) {
        call.profile = request.match.model;
    }
    const auto& facts = request.facts;
    const std::string_view by_header = text_of(request.head, bedrock::kGuardrailField);
    const std::string_view by_body =
        std::string_view(request.body.text).substr(facts.guardrail_at, facts.guardrail_size);
    call.guardrail = by_body.empty() ? by_header : by_body;
    call.region_bound = facts.region_bound || request.stateful;
    if ((facts.guarded && call.guardrail.empty()) || (!by_header.empty() && !by_body.empty())) {
        call.guardrail =
            kSomeGuardrail;  // which one is not clear, so that nothing can stand for it
    }
}

/// Whoever sent too slowly, or what is no body, is still there to be told.
std::unexpected<ErrorAnswer> body_lost(net::NetError why) {
    switch (why) {
        case net::NetError::timeout:
            return refused(408, "ValidationException",
                           "weir: the request's body did not arrive in time");
        case net::NetError::protocol:
            return refused(400, "ValidationException", "weir: the request's body is malformed");
        default:
            return std::unexpected(ErrorAnswer());
    }
}

}  // namespace

std::string_view text_of(const codec::Head& head, std::string_view name) {
    const auto* value = head.find(name);
    return value == nullptr ? std::string_view() : *value;
}

void RequestBody::free() {
    if (text.capacity() > SpareTexts::kLargest) {
        std::string().swap(text);
        bytes.give_back();
    }
}

Request::Request(std::shared_ptr<const Snapshot> with, net::Downstream& from,
                 std::atomic<std::uint64_t>& buffered)
    : snapshot(std::move(with)),
      head(from.head()),
      peer(from.peer()),
      http_version(from.http_version()),
      body(buffered) {}

std::string_view Request::tenant() const {
    return identity.client == nullptr ? std::string_view() : identity.client->name;
}

bool Request::others_share() const {
    return snapshot->clients.keys_required() && snapshot->config.clients.size() > 1;
}

net::Task<Admitted> read_body(Request& request, net::Downstream& from, Worker& worker) {
    const auto& limits = request.snapshot->config.limits;
    auto& body = request.body;
    body.text = worker.texts.take();
    if (request.head.framing == codec::Framing::length) {
        body.text.reserve(std::min<std::uint64_t>(request.head.content_length, 256UL << 10) + 64);
    }
    // A caller without a name, or whose signature is still to be checked, is its address.
    const std::string_view peer = request.peer;
    const std::string_view name = request.identity.name;
    body.bytes.belong_to(
        worker.shared.shares.holder(name.empty() ? peer.substr(0, peer.rfind(':')) : name, peer));
    codec::Sha256 hash;
    for (;;) {
        const auto piece = co_await from.read_body();
        if (!piece) {
            co_return body_lost(piece.error().error);
        }
        if (piece->empty()) {
            break;
        }
        auto error =
            oversize(request.operation(), limits.max_body, body.text.size() + piece->size());
        if (!error && !body.bytes.take(piece->size(), limits.max_buffered)) {
            error = buffered_answer();
        }
        if (error) {
            co_return std::unexpected(std::move(*error));
        }
        hash.update(*piece);
        body.text.append(*piece);
    }
    body.digest = hash.finish();
    co_return Admitted();
}

std::expected<Call, ErrorAnswer> to_call(Request& request, Worker& worker, CallId id,
                                         Instant arrival) {
    auto read =
        worker.requests.read(request.operation(), request.model, request.family, request.body.text);
    if (!read) {
        return refused(400, "ValidationException", "weir: " + read.error().message);
    }
    auto& facts = request.facts = *read;
    const std::uint64_t kept = request.kept ? request.kept->tokens : 0;  // not in the body again
    facts.input_estimate += kept;
    count_of(facts.input_counts, InputClass::frame) +=
        static_cast<std::uint32_t>(std::min<std::uint64_t>(kept, 1'000'000'000));
    if (!request.says_text) {  // what is called so means something else there
        facts.max_output.reset();
    }

    Call call;
    call.id = id;
    call.client = request.identity.name;
    call.priority = request.directives.priority;
    call.model = request.model;
    call.home_region = request.home_region;
    call.home_account = request.kept ? std::string_view(request.kept->account) : "";
    call.converse = !bedrock::speaks_for_a_family(request.operation());
    call.stream = request.stream;
    bind(call, request);
    call.input_estimate = facts.input_estimate;
    call.input_counts = facts.input_counts;
    call.conversation = worker.requests.conversation();
    call.max_output = facts.max_output;
    call.output_kind = facts.output_kind;
    call.thinking_budget = facts.thinking_budget;
    call.bytes = request.body.text.size();
    call.arrival = arrival;
    call.deadline = request.directives.deadline;
    call.invocation = request.directives.invocation;
    return call;
}

Service service_of(const Request& request, Endpoint endpoint) {
    if (endpoint == Endpoint::mantle) {
        return Service::mantle;
    }
    switch (request.operation()) {
        case Operation::control_plane:
        case Operation::create_invocation_job:
        case Operation::get_invocation_job:
        case Operation::list_invocation_jobs:
        case Operation::stop_invocation_job:
            return Service::control;
        case Operation::rerank:
            return Service::agent;
        default:
            return Service::runtime;
    }
}

}  // namespace weir::gateway
