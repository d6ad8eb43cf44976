#include "gateway/aws_regions.h"

#include <algorithm>
#include <array>

namespace weir::gateway {
namespace {

constexpr std::array<std::string_view, 44> kListed{
    "af-south-1",     "ap-east-1",      "ap-east-2",      "ap-northeast-1", "ap-northeast-2",
    "ap-northeast-3", "ap-south-1",     "ap-south-2",     "ap-southeast-1", "ap-southeast-2",
    "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7",
    "ca-central-1",   "ca-west-1",      "cn-north-1",     "cn-northwest-1", "eu-central-1",
    "eu-central-2",   "eu-isoe-west-1", "eu-north-1",     "eu-south-1",     "eu-south-2",
    "eu-west-1",      "eu-west-2",      "eu-west-3",      "eusc-de-east-1", "il-central-1",
    "me-central-1",   "me-south-1",     "mx-central-1",   "sa-east-1",      "us-east-1",
    "us-east-2",      "us-gov-east-1",  "us-gov-west-1",  "us-iso-east-1",  "us-iso-west-1",
    "us-isob-east-1", "us-isof-east-1", "us-west-1",      "us-west-2"};
static_assert(std::ranges::is_sorted(kListed));

constexpr std::array<std::string_view, 16> kPlaces{
    "af", "ap", "ca", "cn", "eu",     "eu-isoe", "eusc-de", "il",
    "me", "mx", "sa", "us", "us-gov", "us-iso",  "us-isob", "us-isof"};

constexpr std::array<std::string_view, 9> kDirections{"central",   "east",      "north",
                                                      "northeast", "northwest", "south",
                                                      "southeast", "southwest", "west"};

template <std::size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

}  // namespace

bool is_listed_region(std::string_view name) {
    return std::ranges::binary_search(kListed, name);
}

bool looks_like_region(std::string_view name) {
    const auto number = name.rfind('-');
    if (number == std::string_view::npos || number + 2 != name.size() || name.back() < '1' ||
        name.back() > '9') {
        return false;
    }
    const auto rest = name.substr(0, number);
    const auto direction = rest.rfind('-');
    return direction != std::string_view::npos && among(kPlaces, rest.substr(0, direction)) &&
           among(kDirections, rest.substr(direction + 1));
}

}  // namespace weir::gateway
