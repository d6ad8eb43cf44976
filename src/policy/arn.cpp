#include <weir/arn.h>

namespace weir {

namespace {

/// Between the `skipped`th colon and the next.
std::string_view arn_field(std::string_view arn, int skipped) {
    if (!arn.starts_with("arn:")) {
        return {};
    }
    for (int field = 0; field < skipped; ++field) {
        const auto colon = arn.find(':');
        if (colon == std::string_view::npos) {
            return {};
        }
        arn.remove_prefix(colon + 1);
    }
    const auto end = arn.find(':');
    return end == std::string_view::npos ? std::string_view() : arn.substr(0, end);
}

}  // namespace

std::string_view arn_region(std::string_view arn) {
    return arn_field(arn, 3);
}

std::string_view arn_account(std::string_view arn) {
    return arn_field(arn, 4);
}

}  // namespace weir
