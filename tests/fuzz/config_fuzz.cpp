// Any bytes as weir.yaml and sim.yaml: complaints or a configuration, never a crash, a hang or an
// exception; and a good configuration, printed, reads back to itself.

#include "cli/config_file.h"
#include "cli/sim_file.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>

namespace {

constexpr std::string_view kSecret = "do-not-show-this-value";

std::optional<std::string> environment(const std::string& name) {
    if (name == "A")
        return "5";
    if (name == "SECRET")
        return std::string(kSecret);
    return std::nullopt;
}

void require(bool good, const char* what, std::string_view detail) {
    if (good)
        return;
    std::cerr << what << ":\n" << detail << '\n';
    std::abort();
}

bool has_secrets(const weir::Config& config) {
    const auto any = [](const weir::CredentialsConfig& c) {
        return !c.secret_access_key.empty() || !c.session_token.empty() || !c.bearer_token.empty();
    };
    bool found = any(config.credentials);
    for (const auto& [name, region] : config.regions)
        found = found || region.proxy.find('@') != std::string::npos ||
                (region.credentials && any(*region.credentials));
    return found;
}

// yaml-cpp replaces what is no UTF-8, so only such text is promised to come back.
bool is_ascii(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) >= 0x80)
            return false;
    }
    return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto loaded = weir::cli::parse_config(text, "f", environment);
    require(loaded.complaints.size() <= 201, "too many complaints", "");
    for (const auto& complaint : loaded.complaints) {
        // What the file itself says is no secret of the environment's.
        require(complaint.message.find(kSecret) == std::string::npos ||
                    text.find(kSecret) != std::string_view::npos,
                "a secret shows", complaint.message);
        require(complaint.line >= 0 && complaint.column >= 0, "no such place", complaint.message);
    }
    const std::string printed = weir::cli::print_config(loaded.config);
    if (loaded.complaints.empty() && !has_secrets(loaded.config) && is_ascii(printed)) {
        const auto again = weir::cli::parse_config(printed, "f", nullptr);
        for (const auto& complaint : again.complaints)
            require(false, weir::cli::to_string(complaint).c_str(), printed);
        require(weir::cli::print_config(again.config) == printed, "does not read back", printed);
    }
    const auto sim = weir::cli::parse_sim(text, "f", environment);
    require(sim.complaints.size() <= 201, "too many complaints", "");
    return 0;
}
