#include "cli/config_file.h"

#include "bedrock/model_data.h"
#include "cli/budget_doubts.h"
#include "cli/config_sections.h"
#include "cli/file_checks.h"
#include "cli/otel_environment.h"
#include "cli/read_text.h"
#include "gateway/process_keys.h"
#include "policy/validate.h"

namespace weir::cli {

namespace {

constexpr std::size_t kMostConfig = 1UL << 20;

std::optional<std::string> set_variable(const Getenv& getenv, const char* name) {
    auto value = getenv ? getenv(name) : std::nullopt;
    return value && !value->empty() ? value : std::nullopt;
}

Place from_variable(const char* name) {
    return {0, 0, name};
}

void forget(Reading& reading, const std::string& path) {
    std::erase_if(reading.places, [&](const auto& entry) { return entry.first.starts_with(path); });
    std::erase_if(reading.spoilt, [&](const auto& entry) { return entry.starts_with(path); });
}

std::string trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ')
        text.remove_suffix(1);
    return std::string(text);
}

// What the environment says of the listeners wins over the file: it is how one image runs in many
// places.
void apply_environment(Reading& reading, const Getenv& getenv, Config& config) {
    if (const auto value = set_variable(getenv, "WEIR_LISTEN")) {
        forget(reading, "listen");
        reading.places["listen"] = from_variable("WEIR_LISTEN");
        config.listen.clear();
        std::size_t begin = 0;
        while (begin <= value->size()) {
            const std::size_t end = std::min(value->find(',', begin), value->size());
            std::string one = trimmed(std::string_view(*value).substr(begin, end - begin));
            if (one.starts_with("localhost:"))
                one.replace(0, 9, "127.0.0.1");
            config.listen.push_back(std::move(one));
            begin = end + 1;
        }
    }
    if (const auto value = set_variable(getenv, "WEIR_ADMIN")) {
        reading.spoilt.erase("admin");
        reading.places["admin"] = from_variable("WEIR_ADMIN");
        config.admin = trimmed(*value);
        if (config.admin.starts_with("localhost:"))
            config.admin.replace(0, 9, "127.0.0.1");
    }
    if (const auto value = set_variable(getenv, "WEIR_OPEN")) {
        const auto flag = *value == "1"   ? std::optional(true)
                          : *value == "0" ? std::optional(false)
                                          : parse_flag(*value);
        if (flag)
            config.open = *flag;
        else
            reading.complaints.add(from_variable("WEIR_OPEN"), "allowed are true and false");
    }
    // systemd's StateDirectory=: the first folder of the list. `state_file: ""` does without, and
    // so does `costs: {file: ""}`.
    if (const auto value = set_variable(getenv, "STATE_DIRECTORY")) {
        const auto keep = [&](const char* setting, std::string& file, const char* name) {
            if (!reading.places.contains(setting)) {
                reading.places[setting] = from_variable("STATE_DIRECTORY");
                file = value->substr(0, value->find(':')) + name;
            }
        };
        keep("state_file", config.state_file, "/weir-state.json");
        keep("costs.file", config.costs.file, "/costs.json");
    }
    apply_otel_environment(reading, getenv, config.otlp);
    if (!config.default_region.empty() || reading.is_spoilt("default_region"))
        return;
    if (const auto named = gateway::region_of_environment(config, getenv)) {
        config.default_region = named->region;
        reading.places["default_region"] = from_variable(named->variable.c_str());
        return;
    }
    if (config.regions.size() == 1)
        config.default_region = config.regions.begin()->first;
}

void complain(Reading& reading, const std::vector<Problem>& problems) {
    for (const Problem& problem : problems) {
        if (problem.path == "AWS_CA_BUNDLE")
            reading.complaints.add(from_variable("AWS_CA_BUNDLE"), problem.message);
        else if (!reading.is_spoilt(problem.path))
            reading.complaints.add(reading.place(problem.path), problem.message);
    }
}

LoadedConfig finish(Reading& reading, const Getenv& getenv, Config config, NamedFiles files) {
    apply_environment(reading, getenv, config);
    complain(reading, validate(config));
    if (files != NamedFiles::ignored) {
        Config checked = config;
        if (files == NamedFiles::upstream) {
            checked.tls.reset();
            checked.state_file.clear();
            checked.costs.file.clear();
        }
        complain(reading, file_problems(checked));
    }
    LoadedConfig loaded;
    const bool good = reading.complaints.empty();
    loaded.complaints = reading.complaints.take();
    if (good) {
        for (auto& [place, message] : reading.doubts)
            reading.complaints.add(place, std::move(message));
        complain(reading, policy::doubts(config));
        complain(reading, budget_doubts(config));
        loaded.warnings = reading.complaints.take();
        for (Complaint& warning : loaded.warnings)
            warning.message.insert(0, "warning: ");
    }
    config.models = bedrock::builtin_models();
    loaded.files = named_files(config);
    loaded.config = std::move(config);
    return loaded;
}

}  // namespace

std::string to_string(const Complaint& complaint) {
    std::string text = complaint.file;
    if (complaint.line > 0)
        text += ":" + std::to_string(complaint.line) + ":" + std::to_string(complaint.column);
    return (text.empty() ? "" : text + ": ") + complaint.message;
}

LoadedConfig parse_config(std::string_view text, const std::string& name, const Getenv& getenv,
                          NamedFiles files) {
    Reading reading(name);
    if (text.size() > kMostConfig) {
        reading.complaints.add({}, "it is larger than 1 MiB, which no configuration needs");
        return {Config{}, reading.complaints.take(), {}, {}};
    }
    auto root = parse_yaml(text, reading.complaints);
    if (!root)
        return {Config{}, reading.complaints.take(), {}, {}};
    std::vector<std::string> named;
    substitute(*root, getenv, reading.complaints, named);
    Config config;
    read_config(reading, *root, config);
    auto loaded = finish(reading, getenv, std::move(config), files);
    loaded.files.insert(loaded.files.end(), named.begin(), named.end());
    return loaded;
}

LoadedConfig load_config(const std::string& path, const Getenv& getenv, NamedFiles files) {
    if (path.empty()) {
        Reading reading("");
        return finish(reading, getenv, Config{}, files);
    }
    auto text = read_text(path, kMostConfig, false);
    if (!text)
        return {Config{}, {{path, 0, 0, "cannot be read: " + text.error().message}}, {}, {path}};
    auto loaded = parse_config(*text, path, getenv, files);
    loaded.files.push_back(path);
    return loaded;
}

}  // namespace weir::cli
