// Is the caller who it says it is? Re-signs what the request's own SignedHeaders name.
#pragma once

#include "codec/http1.h"
#include "codec/sigv4.h"
#include "simulator/refusal.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::simulator {

/// Verifies SigV4 for one service of a Region and one pair of keys. Not thread-safe: one a loop.
class Verifier {
public:
    /// `service`: as it stands in the credential scope, `bedrock` or `bedrock-mantle`.
    Verifier(std::string region, std::string service, std::string access_key_id,
             std::string secret_access_key);

    /// nullopt: good. `unix_seconds`: wall time, against which the request's date may be 5 minutes
    /// off. A bearer key is good when it is the secret access key; a session token of "expired" is.
    std::optional<ErrorAnswer> check(const codec::Head& head, const codec::Digest& body,
                                     std::int64_t unix_seconds);

private:
    std::string region_;
    std::string service_;
    codec::SigningCredentials credentials_;
    codec::Signer signer_;
};

}  // namespace weir::simulator
