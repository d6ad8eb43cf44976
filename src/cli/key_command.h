// `weir key new NAME`: a client key, shown once, and its hash for the file.
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
/// What the command prints; the error tells an unusable name.
Result<std::string> key_text(const std::string& name, const NewKey& key);

}  // namespace weir::cli
