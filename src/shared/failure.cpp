#include "shared/failure.h"

#include <algorithm>
#include <array>
#include <utility>

namespace weir::shared {

namespace {

using enum StoreError;

// The order of the enumerators.
constexpr std::array<std::string_view, kStoreErrors> kNames{
    "timeout",   "down",        "connection",   "auth",     "permission", "read_only", "loading",
    "memory",    "master_down", "cluster_down", "clients",  "busy",       "unsafe",    "redirect",
    "try_again", "wrong_type",  "script",       "protocol", "stopped"};

// The first that an error reply begins with.
constexpr std::pair<std::string_view, StoreError> kWords[] = {
    {"NOAUTH", auth},
    {"WRONGPASS", auth},
    {"NOPERM", permission},
    {"READONLY", read_only},
    {"LOADING", loading},
    {"OOM", memory},
    {"MASTERDOWN", master_down},
    {"CLUSTERDOWN", cluster_down},
    {"ERR max number of clients", clients},
    {"ERR max client", clients},
    {"BUSY", busy},
    {"MISCONF", unsafe},
    {"NOREPLICAS", unsafe},
    {"MOVED", redirect},
    {"ASK", redirect},
    {"TRYAGAIN", try_again},
    {"WRONGTYPE", wrong_type},
};

}  // namespace

std::string_view to_string(StoreError error) {
    return kNames[static_cast<std::size_t>(error)];
}

StoreFailure failure_of(std::string_view error) {
    StoreError kind = script;
    for (const auto& [word, named] : kWords) {
        if (error.starts_with(word)) {
            kind = named;
            break;
        }
    }
    // These may come from the middle of a script.
    const bool in_part = kind == script || kind == wrong_type || kind == memory ||
                         kind == permission || kind == unsafe;
    return {kind, printable(error), in_part};
}

bool concerns_server(StoreError error) {
    return error != redirect && error != try_again && error != wrong_type && error != script;
}

bool needs_new_connection(StoreError error) {
    return error == auth || error == read_only || error == master_down || error == protocol ||
           error == clients;
}

std::string printable(std::string_view text) {
    constexpr std::size_t kMost = 200;
    std::string out(text.substr(0, kMost));
    std::ranges::replace_if(
        out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c > 0x7e || c < 0; }, '?');
    return out;
}

}  // namespace weir::shared
