// Parts of an Amazon Resource Name: arn:partition:service:region:account:resource.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
#pragma once

#include <string_view>

namespace weir {

/// "us-east-1"; empty: the ARN names no Region, or the text is no ARN. A view into the text.
std::string_view arn_region(std::string_view arn);
/// The twelve digits; empty likewise.
std::string_view arn_account(std::string_view arn);

}  // namespace weir
