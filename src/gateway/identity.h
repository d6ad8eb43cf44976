// Who asks, and whether they may: keys, names, browsers.
#pragma once

#include "codec/http1.h"
#include "codec/sigv4_verify.h"
#include "policy/eligibility.h"

#include <weir/config.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace weir::gateway {

/// The clients of one configuration, ready for lookup. Immutable; shared by the workers.
class ClientDirectory {
public:
    explicit ClientDirectory(const std::vector<ClientConfig>& clients);

    /// A client's access key id and secret.
    struct Pair {
        codec::SigningCredentials key;
        const ClientConfig* client;
    };

    /// True where at least one client has a key: then nobody gets in without one.
    bool keys_required() const { return !keys_.empty() || !pairs_.empty(); }
    bool has_pairs() const { return !pairs_.empty(); }

    /// The client whose key this is; null: nobody's. Compares all keys in constant time.
    const ClientConfig* by_key(std::string_view key) const;
    const Pair* by_access_key_id(std::string_view id) const;
    const ClientConfig* by_name(std::string_view name) const;

private:
    struct Key {
        std::string digest;  // 32 raw bytes
        const ClientConfig* client;
    };
    std::vector<ClientConfig> clients_;
    std::vector<Key> keys_;
    std::map<std::string, Pair, std::less<>> pairs_;
    std::unordered_map<std::string_view, const ClientConfig*> names_;
};

struct Identity {
    const ClientConfig* client = nullptr;  // null: not a configured one
    std::string_view name;                 // empty: nobody in particular
    bool admitted = true;  // false: a key is required and was not given, or is wrong
    bool key_given = false;
    /// A caller that signs is nobody until its body is there: `claim` is still to be checked with
    /// `pair`, whose client `client` is.
    const ClientDirectory::Pair* pair = nullptr;
    codec::Claim claim;
    std::optional<codec::SignatureFault> fault;  // why its signature is not taken

    /// It is who it says, where that has to be shown: whoever signs has a name from then on.
    bool proven() const { return admitted && (pair == nullptr || !name.empty()); }
};

/// In the order of the interface: a key or a signature where clients demand one, else path prefix,
/// x-weir-client, the User-Agent's app/NAME. Names are taken only if they are 1 to 64 of
/// [A-Za-z0-9._-]. `unix_seconds`: wall time, by which signatures are dated. A bearer key or
/// x-api-key goes before a signature: SDKs sign with dummies where a key is what counts.
Identity identify(const ClientDirectory& directory, const codec::Head& head,
                  std::string_view path_name, std::int64_t unix_seconds);

/// The key of `Authorization: Bearer` or `x-api-key`; empty: none.
std::string_view bearer_key(const codec::Head& head);

using policy::glob_match;

/// Whether only a browser's page could have sent this: it carries Origin or Sec-Fetch-Site.
bool is_web_page(const codec::Head& head);

/// Whether the admin port's own page sent this: a browser says that it comes from the same origin,
/// and no other page can make it say so.
bool is_own_page(const codec::Head& head);

/// Why a browser's (or a rebound name's) request is refused; empty: it is not. `listen`: addresses
/// of the port.
std::string browser_refusal(const codec::Head& head, const std::vector<std::string>& listen,
                            const std::vector<std::string>& allowed_hosts);

/// The same for a request that may come from a page: by its Host alone.
std::string host_refusal(const codec::Head& head, const std::vector<std::string>& listen,
                         const std::vector<std::string>& allowed_hosts);

/// Whether the address of a listen directive is a loopback one.
bool is_loopback(std::string_view host);
/// "host:port" or "[v6]:port" or "host" without its port and brackets.
std::string_view host_part(std::string_view authority);

}  // namespace weir::gateway
