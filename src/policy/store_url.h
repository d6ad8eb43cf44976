// The URL of a Valkey or Redis.
#pragma once

#include <weir/result.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::policy {

struct StoreUrl {
    bool tls = false;
    std::string host;  // name or address, no brackets
    std::uint16_t port = 6379;
    std::string user;      // empty: the password alone is sent
    std::string password;  // empty: none is sent
    std::uint32_t database = 0;
};

/// redis:// or rediss://[USER:PASSWORD@]HOST[:PORT][/DATABASE]. User and password may be
/// percent-encoded; a password may also hold any character as it is, except a '%' before two
/// hexadecimal digits. The message of an error shows nothing of what precedes the host.
Result<StoreUrl> parse_store_url(std::string_view url);

}  // namespace weir::policy
