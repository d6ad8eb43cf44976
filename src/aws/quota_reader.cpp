#include "aws/quota_reader.h"

#include "aws/json_read.h"

#include <cmath>
#include <map>
#include <set>

namespace weir::aws {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kPage = 100;
constexpr int kQuotaPages = 60;  // Bedrock has about 1,000 quotas
constexpr double kMostQuota = 1e15;

std::optional<std::uint64_t> value_of(const Json& quota) {
    const auto value = number_of(quota, "Value");
    if (!value || !std::isfinite(*value) || *value < 0 || *value > kMostQuota) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(*value);
}

/// Calls `take` with each quota of each page.
template <class Take>
ApiResult<void> each_quota(const ApiClient& api, const std::string& region,
                           const std::string& operation, const std::atomic<bool>& stop, Take take) {
    Json input{{"ServiceCode", "bedrock"}, {"MaxResults", kPage}};
    std::set<std::string> seen;
    for (int page = 0; page < kQuotaPages; ++page) {
        const auto answer = api.json({ApiService::service_quotas, region}, operation, input, stop);
        if (!answer) {
            return std::unexpected(answer.error());
        }
        const Json& quotas = member(*answer, "Quotas");
        if (!quotas.is_array()) {
            return std::unexpected(ApiError{200, "", "the answer has no Quotas", ""});
        }
        for (const Json& quota : quotas) {
            take(quota);
        }
        const std::string next = text_of(*answer, "NextToken");
        if (next.empty() || !seen.insert(next).second) {
            break;
        }
        input["NextToken"] = next;
    }
    return {};
}

QuotaLine* line_of(const Json& quota, std::map<std::string, QuotaLine>& lines) {
    constexpr std::size_t kMostCode = 128;
    const std::string code = text_of(quota, "QuotaCode", kMostCode);
    const std::string full_name = text_of(quota, "QuotaName");
    auto name = parse_quota_name(full_name);
    if (code.empty() || !name || !value_of(quota)) {
        return nullptr;
    }
    QuotaLine& line = lines[code];
    line.code = code;
    line.full_name = full_name;
    line.name = std::move(*name);
    line.adjustable = flag_of(quota, "Adjustable");
    return &line;
}

}  // namespace

ApiResult<QuotaReading> read_quotas(const ApiClient& api, const std::string& region,
                                    const std::atomic<bool>& stop) {
    QuotaReading reading;
    reading.region = region;
    std::map<std::string, QuotaLine> lines;
    const auto applied = each_quota(api, region, "ListServiceQuotas", stop, [&](const Json& quota) {
        if (QuotaLine* line = line_of(quota, lines)) {
            line->applied = value_of(quota);
        }
    });
    if (!applied) {
        return std::unexpected(applied.error());
    }
    const auto defaults =
        each_quota(api, region, "ListAWSDefaultServiceQuotas", stop, [&](const Json& quota) {
            if (QuotaLine* line = line_of(quota, lines)) {
                line->standard = value_of(quota);
            }
        });
    if (!defaults) {
        reading.no_defaults = defaults.error();
    }
    for (auto& [code, line] : lines) {
        reading.lines.push_back(std::move(line));
    }
    return reading;
}

ModelQuotas quotas_of(const QuotaReading& reading, std::string_view model_id) {
    ModelQuotas found;
    const auto better = [](const QuotaLine& line, const QuotaLine* than) {
        if (than == nullptr) {
            return true;
        }
        const bool own = line.name.scope != QuotaScope::regional;
        const bool theirs = than->name.scope != QuotaScope::regional;
        return own != theirs ? own : line.value() < than->value();
    };
    for (const QuotaLine& line : reading.lines) {
        if (!covers(line.name, model_id)) {
            continue;
        }
        const QuotaLine*& place =
            line.name.kind == QuotaKind::requests_per_minute ? found.requests_per_minute
            : line.name.kind == QuotaKind::tokens_per_minute ? found.tokens_per_minute
                                                             : found.tokens_per_day;
        if (better(line, place)) {
            place = &line;
        }
    }
    return found;
}

std::uint64_t multiple_of(const QuotaLine& line, std::string_view model_id) {
    return line.name.doubled && !split_model(model_id).geo.empty() ? 2 : 1;
}

std::optional<std::uint64_t> limit_of(const QuotaLine* line, std::string_view model_id) {
    if (line == nullptr || !line->value()) {
        return std::nullopt;
    }
    return *line->value() * multiple_of(*line, model_id);
}

}  // namespace weir::aws
