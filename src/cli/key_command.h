// `weir key new NAME`: a client key, shown once, and its hash for the file; with `--sigv4` a pair
// that the client's SDK signs with.
#pragma once

#include <weir/result.h>

#include <string>
#include <string_view>

namespace weir::cli {

struct NewKey {
    std::string key;     // weir_ and 43 characters of base64url: 32 random bytes
    std::string sha256;  // of the key's text, lower-case hex
};

Result<NewKey> new_key();
std::string sha256_hex(std::string_view text);
struct NewPair {
    std::string access_key_id;      // WEIR and 16 of A-Z and 2-7: 80 random bits
    std::string secret_access_key;  // 40 characters of base64url: 30 random bytes
};

Result<NewPair> new_pair();
/// What the command prints; the error tells an unusable name.
Result<std::string> pair_text(const std::string& name, const NewPair& pair);
/// The same for a key.
Result<std::string> key_text(const std::string& name, const NewKey& key);

}  // namespace weir::cli
