// What is to know of one setting besides its value, and the names of enumerators in weir.yaml.
#pragma once

#include <weir/config.h>

#include <array>
#include <concepts>
#include <limits>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir::policy {

/// When a reload's new value counts.
enum class Effect : std::uint8_t {
    at_once,          ///< for requests that arrive from now on
    new_connections,  ///< for connections made from now on
    restart           ///< at the next start; until then the old value stays
};

/// What a number or a duration (in seconds) may be. An optional that is not set is in range.
struct Range {
    double least = -std::numeric_limits<double>::infinity();
    double most = std::numeric_limits<double>::infinity();
    bool least_excluded = false;
    bool most_excluded = false;
    std::string_view otherwise = {};  ///< the complaint; empty: anything is allowed

    constexpr bool holds(double value) const {
        return (least_excluded ? value > least : value >= least) &&
               (most_excluded ? value < most : value <= most);
    }
};

/// Traits of a row, to be joined by `|`.
constexpr unsigned kSize = 1;              ///< bytes, written with their unit
constexpr unsigned kUrl = 1U << 1U;        ///< empty, or http:// or https:// with host and path
constexpr unsigned kSecret = 1U << 2U;     ///< never printed, never part of a message
constexpr unsigned kShowEmpty = 1U << 3U;  ///< an empty text or map differs from an absent one
constexpr unsigned kZeroUnset = 1U << 4U;  ///< 0 is the same as absent
constexpr unsigned kOneWillDo = 1U << 5U;  ///< a list that may be written as its only element
constexpr unsigned kLowerCase = 1U << 6U;  ///< upper case is read as lower case
constexpr unsigned kWhole = 1U << 7U;      ///< a struct that a reload names as one setting
constexpr unsigned kHidden = 1U << 8U;     ///< has no meaning beside the other values: not printed

struct Row {
    std::string_view key;
    std::string_view comment = {};  ///< beside the value in print-config; `{}`: the map's key
    Range range = {};
    Effect effect = Effect::at_once;
    unsigned traits = 0;
    std::string_view unset = {};    ///< where a key that is not set needs another comment
    std::string_view words = {};    ///< of a text that must be one of these: `fifo, small_first`
    std::string_view entries = {};  ///< of a list or map: what a complaint says it holds
    std::string_view each = {};     ///< of a map of texts: what each must be

    constexpr bool has(unsigned trait) const { return (traits & trait) != 0; }
};

/// A member that has rows of its own.
template <class T>
concept Section = std::is_aggregate_v<T>;

template <class T, class Struct>
concept Of = std::same_as<std::remove_const_t<T>, Struct>;

/// How weir.yaml names an enumerator. One that has no name is written by leaving the key out.
template <class E>
using Name = std::pair<std::string_view, E>;
/// Of QuotaConfig::reserved.
enum class QuotaTier : std::uint8_t { others, reserved };

template <class E>
constexpr auto kNames = nullptr;
template <>
inline constexpr auto kNames<Mode> =
    std::to_array<Name<Mode>>({{"enforce", Mode::enforce}, {"observe", Mode::observe}});
template <>
inline constexpr auto kNames<CredentialsSource> =
    std::to_array<Name<CredentialsSource>>({{"default", CredentialsSource::default_chain},
                                            {"static", CredentialsSource::static_keys},
                                            {"bearer", CredentialsSource::bearer},
                                            {"client_bearer", CredentialsSource::client_bearer}});
template <>
inline constexpr auto kNames<Endpoint> =
    std::to_array<Name<Endpoint>>({{"runtime", Endpoint::runtime}, {"mantle", Endpoint::mantle}});
template <>
inline constexpr auto kNames<Tier> = std::to_array<Name<Tier>>({{"priority", Tier::priority},
                                                                {"default", Tier::standard},
                                                                {"flex", Tier::flex},
                                                                {"reserved", Tier::reserved}});
template <>
inline constexpr auto kNames<QuotaTier> =
    std::to_array<Name<QuotaTier>>({{"reserved", QuotaTier::reserved}});
template <>
inline constexpr auto kNames<ApiPath> =
    std::to_array<Name<ApiPath>>({{"/v1", ApiPath::v1}, {"/openai/v1", ApiPath::openai_v1}});
template <>
inline constexpr auto kNames<Priority> =
    std::to_array<Name<Priority>>({{"interactive", Priority::interactive},
                                   {"standard", Priority::standard},
                                   {"batch", Priority::batch}});
template <>
inline constexpr auto kNames<Preset> =
    std::to_array<Name<Preset>>({{"weir", Preset::weir}, {"article", Preset::article}});
template <>
inline constexpr auto kNames<Jitter> =
    std::to_array<Name<Jitter>>({{"full", Jitter::full}, {"none", Jitter::none}});
template <>
inline constexpr auto kNames<MetricsTo> = std::to_array<Name<MetricsTo>>(
    {{"off", MetricsTo::off}, {"cloudwatch", MetricsTo::cloudwatch}, {"emf", MetricsTo::emf}});
template <>
inline constexpr auto kNames<AlarmAction> =
    std::to_array<Name<AlarmAction>>({{"close", AlarmAction::close},
                                      {"drain", AlarmAction::drain},
                                      {"trip", AlarmAction::trip},
                                      {"shed", AlarmAction::shed}});
template <>
inline constexpr auto kNames<BudgetEnd> = std::to_array<Name<BudgetEnd>>(
    {{"warn", BudgetEnd::warn}, {"lower", BudgetEnd::lower}, {"refuse", BudgetEnd::refuse}});
template <>
inline constexpr auto kNames<LogLevel> =
    std::to_array<Name<LogLevel>>({{"debug", LogLevel::debug},
                                   {"info", LogLevel::info},
                                   {"warn", LogLevel::warn},
                                   {"error", LogLevel::error}});

}  // namespace weir::policy
