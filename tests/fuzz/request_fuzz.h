// What must hold for any bytes as a request's body, in every body language. Run by the fuzzer, and
// over the corpus by the unit tests.
#pragma once

#include "bedrock/body_head.h"
#include "bedrock/request.h"

#include "fuzz/check.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace weir::fuzz {

/// By simdjson's other reader, which looks at every byte. It gives up at a depth of 1,024.
inline bool is_json_object(std::string_view bytes) {
    simdjson::dom::parser parser;
    simdjson::dom::element element;
    const simdjson::padded_string padded(bytes);
    return parser.parse(padded).get(element) == simdjson::SUCCESS && element.is_object();
}

inline void one_body(bedrock::RequestReader& reader, bedrock::Operation operation, Family family,
                     std::string_view bytes) {
    std::string body(bytes);
    const auto facts = reader.read(operation, "m", family, body);
    check(body == bytes);
    const bool sound = is_json_object(bytes);
    if (!facts) {
        check(!sound || facts.error().message.find("more than once") != std::string::npos);
        check(!facts.error().message.empty());
        return;
    }
    // A byte weighs at most three tokens; media by rule and the frame come on top.
    check(facts->input_estimate <= 400'000 * (bytes.size() / 8 + 1));
    check(facts->max_output.has_value() == (facts->max_output_size > 0));
    if (facts->max_output) {
        check(facts->max_output_at + facts->max_output_size <= body.size());
        check(std::ranges::all_of(body.substr(facts->max_output_at, facts->max_output_size),
                                  [](char c) {
                                      return (c >= '0' && c <= '9') || c == '.' || c == 'e' ||
                                             c == 'E' || c == '+' || c == '-';
                                  }));
    }
    constexpr std::uint64_t kOther = 77;
    std::string changed = bedrock::with_max_output(body, *facts, operation, family, kOther);
    if (!sound) {
        return;  // what is not looked at is not checked: the service will refuse it
    }
    check(is_json_object(changed));
    const auto again = reader.read(operation, "m", family, changed);
    check(again.has_value());
    if (facts->max_output) {
        check(again->max_output == kOther || changed == body);
    }
}

inline void one_head(bedrock::Operation operation, std::string_view bytes) {
    std::string body(bytes);
    const auto head = bedrock::read_body_head(operation, body);
    check(body == bytes);
    if (!head) {
        check(!head.error().message.empty());
        return;
    }
    check(std::ranges::all_of(head->model, [](char c) { return c > ' ' && c < 0x7f; }));
    if (is_json_object(bytes)) {
        std::string changed = bedrock::with_body_model(body, "other");
        const auto again = bedrock::read_body_head(operation, changed);
        check(again && again->model == "other" && again->stream == head->stream);
    }
}

/// The first byte chooses operation and family, the rest is the body.
inline void request(std::string_view bytes) {
    if (bytes.empty()) {
        return;
    }
    static bedrock::RequestReader reader;
    constexpr std::array kOperations = {bedrock::Operation::converse, bedrock::Operation::invoke,
                                        bedrock::Operation::chat_completions,
                                        bedrock::Operation::responses};
    const auto choice = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    const auto operation = kOperations[choice % kOperations.size()];
    one_body(reader, operation, static_cast<Family>(choice / 4 % 8), bytes);
    if (bedrock::names_model_in_body(operation)) {
        one_head(operation, bytes);
    }
}

}  // namespace weir::fuzz
