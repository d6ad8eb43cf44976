#include "gateway/identity.h"

#include "codec/hex.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <array>

namespace weir::gateway {
namespace {

using codec::equals_ignore_case;

std::string from_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes.push_back(
            static_cast<char>(codec::hex_value(hex[i]) << 4 | codec::hex_value(hex[i + 1])));
    }
    return bytes;
}

bool good_name(std::string_view name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    });
}

/// The NAME of the User-Agent's `app/NAME` product.
std::string_view app_of(std::string_view user_agent) {
    while (!user_agent.empty()) {
        const auto end = user_agent.find(' ');
        const auto product = user_agent.substr(0, end);
        if (product.starts_with("app/")) {
            return product.substr(4);
        }
        user_agent.remove_prefix(end == std::string_view::npos ? user_agent.size() : end + 1);
    }
    return {};
}

bool is_address(std::string_view host) {
    std::array<unsigned char, 16> address{};
    const std::string text(host);
    return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
           inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

}  // namespace

ClientDirectory::ClientDirectory(const std::vector<ClientConfig>& clients) : clients_(clients) {
    for (const auto& client : clients_) {
        names_.emplace(client.name, &client);
        for (const auto& hex : client.key_sha256) {
            keys_.push_back(Key{from_hex(hex), &client});
        }
        if (!client.access_key_id.empty()) {
            pairs_.emplace(client.access_key_id,
                           Pair{{client.access_key_id, client.secret_access_key, {}}, &client});
        }
    }
}

const ClientConfig* ClientDirectory::by_key(std::string_view key) const {
    const auto digest = codec::sha256(key);
    const ClientConfig* found = nullptr;
    for (const auto& candidate : keys_) {  // to the end whatever is found: the time tells nothing
        if (candidate.digest.size() == digest.size() &&
            CRYPTO_memcmp(candidate.digest.data(), digest.data(), digest.size()) == 0) {
            found = candidate.client;
        }
    }
    return found;
}

const ClientDirectory::Pair* ClientDirectory::by_access_key_id(std::string_view id) const {
    const auto found = pairs_.find(id);
    return found == pairs_.end() ? nullptr : &found->second;
}

const ClientConfig* ClientDirectory::by_name(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : found->second;
}

std::string_view bearer_key(const codec::Head& head) {
    if (const auto* authorization = head.find("authorization")) {
        constexpr std::string_view kBearer = "Bearer ";
        if (authorization->size() > kBearer.size() &&
            equals_ignore_case(authorization->substr(0, kBearer.size()), kBearer)) {
            return authorization->substr(kBearer.size());
        }
    }
    if (const auto* key = head.find("x-api-key")) {
        return *key;
    }
    return {};
}

namespace {

/// What an SDK's own signature comes to before the body is there.
Identity identify_signer(const ClientDirectory& directory, const codec::Head& head,
                         std::int64_t unix_seconds) {
    Identity identity;
    identity.admitted = false;
    identity.key_given = true;
    // AnthropicBedrockMantle and the SDKs' bedrock-mantle clients sign for that service.
    static constexpr std::array<std::string_view, 2> kServices{"bedrock", "bedrock-mantle"};
    auto claim = codec::read_claim(head, kServices, unix_seconds);
    if (!claim) {
        identity.fault = std::move(claim.error());
        return identity;
    }
    identity.claim = *claim;
    identity.pair = directory.by_access_key_id(claim->authorization.access_key_id);
    // Weir's pairs are for good: one that comes with a session's token is none of them.
    if (identity.pair == nullptr || head.find("x-amz-security-token") != nullptr) {
        identity.pair = nullptr;
        identity.fault = {"UnrecognizedClientException",
                          "The security token included in the request is invalid."};
        return identity;
    }
    identity.client = identity.pair->client;
    identity.admitted = true;
    return identity;
}

bool is_signature(const codec::Head& head) {
    const auto* authorization = head.find("authorization");
    return authorization != nullptr && authorization->starts_with("AWS4-HMAC-SHA256");
}

}  // namespace

Identity identify(const ClientDirectory& directory, const codec::Head& head,
                  std::string_view path_name, std::int64_t unix_seconds) {
    Identity identity;
    if (directory.keys_required()) {
        const auto key = bearer_key(head);
        if (key.empty() && directory.has_pairs() && is_signature(head)) {
            return identify_signer(directory, head, unix_seconds);
        }
        identity.key_given = !key.empty();
        identity.client = key.empty() ? nullptr : directory.by_key(key);
        identity.admitted = identity.client != nullptr;
        if (identity.client != nullptr) {
            identity.name = identity.client->name;
        }
        return identity;
    }
    std::string_view name = path_name;
    if (name.empty()) {
        if (const auto* given = head.find("x-weir-client")) {
            name = *given;
        }
    }
    if (name.empty()) {
        if (const auto* agent = head.find("user-agent")) {
            name = app_of(*agent);
        }
    }
    if (good_name(name)) {
        identity.client = directory.by_name(name);
        identity.name = name;
    }
    return identity;
}

std::string_view host_part(std::string_view authority) {
    if (authority.starts_with('[')) {
        const auto end = authority.find(']');
        return end == std::string_view::npos ? authority : authority.substr(1, end - 1);
    }
    const auto colon = authority.find(':');
    if (colon != std::string_view::npos &&
        authority.find(':', colon + 1) != std::string_view::npos) {
        return authority;  // an IPv6 address without brackets
    }
    return authority.substr(0, colon);
}

bool is_loopback(std::string_view host) {
    return host == "127.0.0.1" || equals_ignore_case(host, "localhost") || host == "::1" ||
           (host.starts_with("127.") && is_address(host));
}

bool is_web_page(const codec::Head& head) {
    return head.find("origin") != nullptr || head.find("sec-fetch-site") != nullptr;
}

std::string browser_refusal(const codec::Head& head, const std::vector<std::string>& listen,
                            const std::vector<std::string>& allowed_hosts) {
    if (is_web_page(head)) {
        return "weir does not answer web pages: this request carries Origin or Sec-Fetch-Site, "
               "which only a "
               "browser sends";
    }
    return host_refusal(head, listen, allowed_hosts);
}

bool is_own_page(const codec::Head& head) {
    const auto* site = head.find("sec-fetch-site");
    if (site != nullptr && *site != "same-origin") {
        return false;
    }
    const auto* origin = head.find("origin");
    const auto* host = head.find("host");
    if (origin == nullptr) {
        return site != nullptr;
    }
    // A proxy before the port may speak TLS.
    return host != nullptr && (equals_ignore_case(*origin, "http://" + std::string(*host)) ||
                               equals_ignore_case(*origin, "https://" + std::string(*host)));
}

std::string host_refusal(const codec::Head& head, const std::vector<std::string>& listen,
                         const std::vector<std::string>& allowed_hosts) {
    const auto* authority = head.find("host");
    if (authority == nullptr) {
        return {};  // HTTP/1.0: no browser of today
    }
    const auto host = host_part(*authority);
    if (is_loopback(host)) {
        return {};
    }
    const auto same = [host, authority](const std::string& name) {
        return equals_ignore_case(name, host) || equals_ignore_case(name, *authority);
    };
    if (std::ranges::any_of(allowed_hosts, same)) {
        return {};
    }
    for (const auto& address : listen) {
        const auto own = host_part(address);
        // Behind a wildcard the listen address is any address of this machine; a rebound name is
        // never one.
        const bool wildcard = own == "0.0.0.0" || own == "::" || own == "*";
        if (equals_ignore_case(own, host) || (wildcard && is_address(host))) {
            return {};
        }
    }
    return "this Host is not one of weir's: it takes loopback names, its listen address and what "
           "allowed_hosts "
           "lists";
}

}  // namespace weir::gateway
