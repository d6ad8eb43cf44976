#include "cli/key_command.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>

namespace weir::cli {

namespace {

std::string base64url(const std::array<unsigned char, 32>& bytes) {
    static constexpr char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    std::uint32_t bits = 0;
    int held = 0;
    for (const unsigned char byte : bytes) {
        bits = bits << 8 | byte;
        for (held += 8; held >= 6; held -= 6)
            out += kDigits[bits >> (held - 6) & 63];
    }
    if (held > 0)
        out += kDigits[bits << (6 - held) & 63];
    return out;
}

}  // namespace

std::string sha256_hex(std::string_view text) {
    std::array<unsigned char, 32> digest{};
    unsigned int size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string hex;
    for (const unsigned char byte : digest)
        hex += fmt::format("{:02x}", byte);
    return hex;
}

Result<NewKey> new_key() {
    std::array<unsigned char, 32> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
        return failure("the system gives no random bytes");
    NewKey result;
    result.key = "weir_" + base64url(bytes);
    result.sha256 = sha256_hex(result.key);
    return result;
}

Result<std::string> key_text(const std::string& name, const NewKey& key) {
    const bool plain = !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
    if (!plain)
        return failure("a client's name is up to 64 letters, digits, '-', '_' and '.'");
    return fmt::format(
        "The key of client {0}. It is shown this once; weir keeps only its hash:\n\n"
        "    {1}\n\n"
        "The client sends it as AWS_BEARER_TOKEN_BEDROCK (AWS SDKs, some of them over https "
        "only), or in the header x-api-key:\n\n"
        "    export AWS_BEARER_TOKEN_BEDROCK={1}\n\n"
        "Into weir.yaml, under `clients`:\n\n"
        "  - {{name: \"{0}\", key_sha256: [\"{2}\"]}}\n",
        name, key.key, key.sha256);
}

}  // namespace weir::cli
