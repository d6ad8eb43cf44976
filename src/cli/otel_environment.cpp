#include "cli/otel_environment.h"

#include "policy/address.h"
#include "policy/otlp_pairs.h"

#include <functional>
#include <string>
#include <utility>

namespace weir::cli {
namespace {

/// A variable's value for a setting that the file does not have.
class Variables {
public:
    Variables(Reading& reading, const Getenv& getenv) : reading_(reading), getenv_(getenv) {}

    std::string value(const char* name) const {
        return getenv_ ? getenv_(name).value_or("") : std::string();
    }
    /// `problem`: what is wrong with the value, or empty.
    void take(const char* name, const char* path, std::string& into,
              const std::function<std::string(const std::string&)>& problem = {}) {
        auto text = value(name);
        if (text.empty() || reading_.places.contains(path))
            return;
        if (auto wrong = problem ? problem(text) : std::string(); !wrong.empty())
            return ignore(name, std::move(wrong));
        into = std::move(text);
        reading_.places[path] = {0, 0, name};
    }
    void ignore(const char* name, std::string why) {
        reading_.doubts.emplace_back(Place{0, 0, name}, "ignored: " + std::move(why));
    }

private:
    Reading& reading_;
    const Getenv& getenv_;
};

bool is_true(std::string_view text) {
    return text.size() == 4 && (text[0] | 0x20) == 't' && (text[1] | 0x20) == 'r' &&
           (text[2] | 0x20) == 'u' && (text[3] | 0x20) == 'e';
}

}  // namespace

void apply_otel_environment(Reading& reading, const Getenv& getenv, OtlpConfig& otlp) {
    constexpr const char* kAttributes = "OTEL_RESOURCE_ATTRIBUTES";
    Variables variables(reading, getenv);
    if (!is_true(variables.value("OTEL_SDK_DISABLED")) &&
        variables.value("OTEL_EXPORTER_OTLP_PROTOCOL") != "grpc")
        variables.take("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp.endpoint", otlp.endpoint,
                       [](const std::string& url) {
                           return policy::is_http_url(url)
                                      ? ""
                                      : "it is not a URL; allowed is http:// or https:// with "
                                        "host, port and path";
                       });
    if (otlp.endpoint.empty())
        return;
    variables.take("OTEL_EXPORTER_OTLP_HEADERS", "otlp.headers", otlp.headers,
                   [](const std::string& pairs) {
                       const auto read = policy::parse_otlp_headers(pairs);
                       return read ? std::string() : read.error().message;
                   });
    const auto named = policy::parse_otlp_pairs(variables.value(kAttributes));
    if (!named) {
        variables.ignore(kAttributes, named.error().message);
    } else {
        for (const auto& [name, value] : *named) {
            if (name == "service.name" && !reading.places.contains("otlp.service"))
                otlp.service = value;
            else
                otlp.attributes.try_emplace(name, value);
        }
    }
    variables.take("OTEL_SERVICE_NAME", "otlp.service", otlp.service);
}

}  // namespace weir::cli
