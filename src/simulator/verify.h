// Is the caller who it says it is? Re-signs what the request's own SignedHeaders name.
#pragma once

#include "codec/http1.h"
#include "codec/sigv4.h"
#include "simulator/refusal.h"
#include "simulator/simulator.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::simulator {

/// The key id that a request says it is signed with; empty: none.
std::string_view access_key(const codec::Head& head);

/// Verifies SigV4 for one service of a Region. Not thread-safe: one a loop.
class Verifier {
public:
    /// `service`: as it stands in the credential scope, `bedrock` or `bedrock-mantle`. The first
    /// pair is that of `credentials`.
    Verifier(std::string region, std::string service, std::vector<KeyPair> pairs);

    /// nullopt: good. `unix_seconds`: wall time, against which the request's date may be 5 minutes
    /// off. A bearer key is good when it is the secret access key; a session token of "expired" is.
    std::optional<ErrorAnswer> check(const codec::Head& head, const codec::Digest& body,
                                     std::int64_t unix_seconds);

private:
    std::string region_;
    std::string service_;
    std::vector<KeyPair> pairs_;
    codec::Signer signer_;
};

}  // namespace weir::simulator
