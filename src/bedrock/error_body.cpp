#include "bedrock/error_body.h"

#include "bedrock/answer.h"
#include "codec/clean.h"

namespace weir::bedrock {

namespace {

/// The first of several that says something.
template <class Clean>
void take(std::string& into, ondemand::value& value, Clean clean) {
    std::string_view text;
    if (into.empty() && value.raw_json_token().starts_with('"') &&
        value.get_string().get(text) == simdjson::SUCCESS) {
        into = clean(text);
    }
}

bool read(ondemand::object& object, ErrorBody& out, bool outer) {
    for (auto item : object) {
        ondemand::field field;
        if (std::move(item).get(field) != simdjson::SUCCESS) {
            return false;
        }
        const std::string_view key = key_of(field);
        ondemand::value& value = field.value();
        if (key == "message" || key == "Message") {
            take(out.message, value, codec::clean_text);
        } else if (key == "__type" || key == "code" || (!outer && key == "type")) {
            take(out.type, value, bare_error_type);
        } else if (outer && key == "error" && value.raw_json_token().starts_with('{')) {
            ondemand::object inner;
            if (value.get_object().get(inner) != simdjson::SUCCESS || !read(inner, out, false)) {
                return false;
            }
        }
    }
    return true;
}

}  // namespace

std::optional<ErrorBody> read_error_body(ondemand::parser& parser, std::string& body) {
    ondemand::document document;
    ondemand::object object;
    ErrorBody out;
    if (parser.iterate(padded(body)).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS || !read(object, out, true)) {
        return std::nullopt;
    }
    return out;
}

}  // namespace weir::bedrock
