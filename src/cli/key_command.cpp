#include "cli/key_command.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <span>

namespace weir::cli {

namespace {

constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `bytes` in digits of `alphabet`, which has 2^width of them.
std::string in_digits(std::span<const unsigned char> bytes, std::string_view alphabet, int width) {
    std::string out;
    std::uint32_t bits = 0;
    int held = 0;
    for (const unsigned char byte : bytes) {
        bits = bits << 8 | byte;
        for (held += 8; held >= width; held -= width)
            out += alphabet[bits >> (held - width) & (alphabet.size() - 1)];
    }
    if (held > 0)
        out += alphabet[bits << (width - held) & (alphabet.size() - 1)];
    return out;
}

bool fill_with_chance(std::span<unsigned char> bytes) {
    return RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1;
}

constexpr std::string_view kNoChance = "the system gives no random bytes";
constexpr std::string_view kNameForm =
    "a client's name is up to 64 letters, digits, '-', '_' and '.'";

bool is_client_name(const std::string& name) {
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_' || c == '.';
    });
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
    if (!fill_with_chance(bytes))
        return failure(std::string(kNoChance));
    NewKey result;
    result.key = "weir_" + in_digits(bytes, kBase64Url, 6);
    result.sha256 = sha256_hex(result.key);
    return result;
}

Result<std::string> key_text(const std::string& name, const NewKey& key) {
    if (!is_client_name(name))
        return failure(std::string(kNameForm));
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

Result<NewPair> new_pair() {
    std::array<unsigned char, 10> id{};
    std::array<unsigned char, 30> secret{};
    if (!fill_with_chance(id) || !fill_with_chance(secret))
        return failure(std::string(kNoChance));
    return NewPair{"WEIR" + in_digits(id, kBase32, 5), in_digits(secret, kBase64Url, 6)};
}

Result<std::string> pair_text(const std::string& name, const NewPair& pair) {
    if (!is_client_name(name))
        return failure(std::string(kNameForm));
    return fmt::format(
        "The key pair of client {0}. Its SDK signs with it as with one of AWS's, over plain http "
        "too:\n\n"
        "    export AWS_ACCESS_KEY_ID={1} AWS_SECRET_ACCESS_KEY={2}\n\n"
        "Into weir.yaml, under `clients`. Weir needs the secret itself to check signatures: keep "
        "that file to\n"
        "weir alone, or write ${{NAME}} or ${{file:/path}} there instead:\n\n"
        "  - {{name: \"{0}\", access_key_id: {1}, secret_access_key: \"{2}\"}}\n",
        name, pair.access_key_id, pair.secret_access_key);
}

}  // namespace weir::cli
