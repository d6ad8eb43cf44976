// A walk over JSON that may be invalid anywhere: the first error ends the walk.
#pragma once

#include "bedrock/json.h"

#include <weir/result.h>

#include <string_view>
#include <utility>

namespace weir::bedrock {

/// The error in a body, as the message of a ValidationException.
inline std::unexpected<Error> not_json(simdjson::error_code error) {
    switch (error) {
        case simdjson::UTF8_ERROR:
            return weir::failure("The request body is not valid UTF-8.");
        case simdjson::EMPTY:
            return weir::failure("The request body is empty; a JSON object is expected.");
        case simdjson::INCORRECT_TYPE:
            return weir::failure("The request body must be a JSON object.");
        default:
            return weir::failure("The request body is not valid JSON.");
    }
}

/// Base of a walk. `failed_` is set at the first error in the JSON; the handlers stop there.
class JsonWalk {
protected:
    template <class Handle>
    void each_field(ondemand::object& object, Handle handle) {
        for (auto item : object) {
            ondemand::field field;
            if (const auto error = std::move(item).get(field); error != simdjson::SUCCESS) {
                failed_ = error;
                return;
            }
            const std::string_view key = key_of(field);
            handle(key, field.value());
            if (failed_ != simdjson::SUCCESS) {
                return;
            }
        }
    }

    template <class Handle>
    void each_field(ondemand::value& value, Handle handle) {
        ondemand::object object;
        failed_ = value.get_object().get(object);
        if (failed_ == simdjson::SUCCESS) {
            each_field(object, handle);
        }
    }

    template <class Handle>
    void each_element(ondemand::value& value, Handle handle) {
        ondemand::array array;
        failed_ = value.get_array().get(array);
        if (failed_ != simdjson::SUCCESS) {
            return;
        }
        for (auto item : array) {
            ondemand::value element;
            if (const auto error = std::move(item).get(element); error != simdjson::SUCCESS) {
                failed_ = error;
                return;
            }
            handle(element);
            if (failed_ != simdjson::SUCCESS) {
                return;
            }
        }
    }

    static char kind(ondemand::value& value) {
        const std::string_view token = value.raw_json_token();
        return token.empty() ? '\0' : token.front();
    }

    simdjson::error_code failed_ = simdjson::SUCCESS;
};

}  // namespace weir::bedrock
