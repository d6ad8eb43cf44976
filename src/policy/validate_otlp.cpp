// What may stand under `otlp`.
#include "policy/otlp_pairs.h"
#include "policy/validate.h"

namespace weir::policy {

/// Nothing here may show a header's value: it may be a key.
void validate_otlp(const Config& config, Problems& problems) {
    constexpr std::size_t kLongest = 1024;
    const OtlpConfig& otlp = config.otlp;
    if (const auto headers = parse_otlp_headers(otlp.headers); !headers)
        problems.add("otlp.headers", headers.error().message);
    problems.require(otlp.endpoint.find_first_of("?#") == std::string::npos, "otlp.endpoint",
                     "has a query or a fragment; allowed is http:// or https:// with host, port "
                     "and path, to which /v1/traces and /v1/metrics are added");
    problems.require(!otlp.service.empty() && otlp.service.size() <= kLongest, "otlp.service",
                     "must have 1 to 1024 characters");
    for (const auto& [name, value] : otlp.attributes)
        problems.require(!name.empty() && name.size() <= kLongest && value.size() <= kLongest,
                         "otlp.attributes." + name,
                         "an attribute needs a name, and neither name nor value may be longer than "
                         "1024 characters");
}

}  // namespace weir::policy
