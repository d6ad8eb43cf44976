// weir.yaml and sim.yaml: reading them, and saying at which line something is wrong.
#pragma once

#include <weir/config.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::cli {

/// `file:line:column: message`, or without the place where there is none.
struct Complaint {
    std::string file;
    int line = 0;  // from 1; 0: no place
    int column = 0;
    std::string message;
};
std::string to_string(const Complaint& complaint);

struct LoadedConfig {
    Config config;
    std::vector<Complaint> complaints;  // empty: good
    std::vector<Complaint> warnings;    // of a good one: allowed, and hardly meant
    std::vector<std::string> files;     // that it was made from: itself, and what it names
};

/// Whether the files that a configuration names are looked at as well; `upstream`: only those that
/// connections to Bedrock need.
enum class NamedFiles : std::uint8_t { ignored, checked, upstream };

/// Reads ${NAME} from here and ${file:...} from the disk.
using Getenv = std::function<std::optional<std::string>(const std::string&)>;

/// Every problem at once: syntax, unknown keys, wrong types and units, and what weir::validate
/// finds, each with its place. `path` empty: defaults. WEIR_LISTEN, WEIR_ADMIN, WEIR_OPEN override
/// the file.
LoadedConfig load_config(const std::string& path, const Getenv& getenv,
                         NamedFiles files = NamedFiles::ignored);
/// The same from text, for tests and the fuzzer; `name` stands for the file in messages.
LoadedConfig parse_config(std::string_view text, const std::string& name, const Getenv& getenv,
                          NamedFiles files = NamedFiles::ignored);

/// The whole of it as commented YAML that load_config reads back to an equal Config.
std::string print_config(const Config& config);

/// "250ms", "2s", "5m", "1h"; a number without a unit is an error.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);
/// "64KiB", "32MiB", "1GiB", "512B".
Result<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

}  // namespace weir::cli
