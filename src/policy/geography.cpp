#include "policy/geography.h"

#include <algorithm>
#include <array>

namespace weir::policy {

namespace {

// `global` is a prefix and no residency, `any` the reverse.
constexpr std::array<std::string_view, 13> kGeographies{
    "us", "eu", "apac", "jp", "au", "us-gov", "ca", "sa", "me", "af", "il", "mx", "global"};

bool is_letters(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
}

/// `in`, `th`, `eu-sov`: what AWS may add before this list knows it. No provider is that short.
bool looks_like_geography(std::string_view head) {
    if (head.size() == 2) {
        return is_letters(head);
    }
    return head.size() > 3 && head.size() <= 8 && head[2] == '-' && is_letters(head.substr(0, 2)) &&
           is_letters(head.substr(3));
}

}  // namespace

std::string_view geography_of(std::string_view model_id) {
    const auto dot = model_id.find('.');
    if (dot == std::string_view::npos) {
        return {};
    }
    const std::string_view head = model_id.substr(0, dot);
    const bool before_provider = model_id.find('.', dot + 1) != std::string_view::npos;
    const bool known = std::ranges::find(kGeographies, head) != kGeographies.end();
    return known || (before_provider && looks_like_geography(head)) ? head : std::string_view();
}

bool is_residency(std::string_view name) {
    return name == "any" ||
           (name != "global" && std::ranges::find(kGeographies, name) != kGeographies.end());
}

std::string residencies() {
    std::string names = "any";
    for (const std::string_view name : kGeographies) {
        if (is_residency(name)) {
            names += ", " + std::string(name);
        }
    }
    return names;
}

std::vector<std::string> region_patterns(std::string_view geography) {
    if (geography == "global") {
        return {"*"};
    }
    if (geography == "apac") {
        return {"ap-*"};
    }
    if (geography == "jp") {
        return {"ap-northeast-1", "ap-northeast-3"};
    }
    if (geography == "au") {
        return {"ap-southeast-2", "ap-southeast-4"};
    }
    // The others are the first part of their Regions' names.
    return {std::string(geography) + "-*"};
}

bool region_within(std::string_view residency, std::string_view region) {
    if (residency == "us" && region.starts_with("us-gov-")) {
        return false;
    }
    return std::ranges::any_of(region_patterns(residency), [&](std::string_view pattern) {
        return pattern == region || (pattern.ends_with('*') && region.size() >= pattern.size() &&
                                     region.starts_with(pattern.substr(0, pattern.size() - 1)));
    });
}

bool geography_within(std::string_view residency, std::string_view geography) {
    return geography.empty() || geography == residency ||
           (residency == "apac" && (geography == "jp" || geography == "au"));
}

}  // namespace weir::policy
