// Why a call to the store was not answered with a value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::shared {

enum class StoreError : std::uint8_t {
    timeout,       ///< no answer within the patience of a call
    down,          ///< not sent: the server is down, `text` says why
    connection,    ///< no connection, or it broke under the call
    auth,          ///< AUTH or SELECT was refused, or the server wants an AUTH
    permission,    ///< NOPERM: the user may not do this
    read_only,     ///< READONLY: the server is a replica
    loading,       ///< LOADING: it reads its data
    memory,        ///< OOM: it is full
    master_down,   ///< MASTERDOWN: a replica without its primary
    cluster_down,  ///< CLUSTERDOWN, or no server has the slot
    clients,       ///< it has as many clients as it takes
    busy,          ///< BUSY: a script has run for too long
    unsafe,        ///< MISCONF, NOREPLICAS: it refuses writes that it could not keep
    redirect,      ///< MOVED or ASK to a place that is not connected, or too often
    try_again,     ///< TRYAGAIN: the slot is moving
    wrong_type,    ///< WRONGTYPE: the key holds something else
    script,        ///< any other error of the script or the command
    protocol,      ///< bytes that are no reply
    stopped,       ///< stop() was called
};
inline constexpr std::size_t kStoreErrors = static_cast<std::size_t>(StoreError::stopped) + 1;

/// For metrics and messages: `read_only`.
std::string_view to_string(StoreError error);

struct StoreFailure {
    StoreError error = StoreError::down;
    std::string text;           ///< for a log line: printable, of bounded length
    bool may_have_run = false;  ///< the script may have run, wholly or in part, or may yet run

    bool operator==(const StoreFailure&) const = default;
};

/// From the words of an error reply.
StoreFailure failure_of(std::string_view error);

/// The failure concerns every call to that server, not only the call that met it.
bool concerns_server(StoreError error);
/// Another connection may do better: to another server after a failover, or with another login.
bool needs_new_connection(StoreError error);

/// Printable ASCII, cut after 200 characters.
std::string printable(std::string_view text);

}  // namespace weir::shared
