#include "cli/sim_file.h"

#include "cli/map_reader.h"
#include "cli/read_text.h"
#include "policy/address.h"
#include "simulator/faults.h"

#include <chrono>

namespace weir::cli {

namespace {

constexpr std::size_t kMostSim = 1UL << 20;

using simulator::Fault;
using simulator::ModelSettings;
using simulator::Settings;
using simulator::WindowKind;

Settings default_settings() {
    Settings settings;
    settings.regions = {{"us-east-1", "127.0.0.1:9001"}, {"us-west-2", "127.0.0.1:9002"}};
    settings.admin = "127.0.0.1:9000";
    ModelSettings model;
    model.requests_per_minute = 200;
    model.tokens_per_minute = 200'000;
    model.output_burndown = 5;
    settings.models["*"] = model;
    return settings;
}

void check_address(Reading& reading, const std::string& path, const std::string& address) {
    if (!reading.is_spoilt(path) && !policy::parse_address(address))
        reading.spoil(path, reading.place(path),
                      "`" + path +
                          "` is not an address; allowed is IP:PORT, such as "
                          "127.0.0.1:9001 or [::1]:9001");
}

template <class T>
void not_zero(MapReader& map, std::string_view key, const T& value) {
    if (value == T(0) && !map.reading().is_spoilt(map.path(key)))
        map.wrong(key, *map.find(key), "it must be above 0; leave it out for no limit");
}

/// `seen`: addresses, and who has them.
void read_addresses(MapReader& root, std::string_view key, std::map<std::string, std::string>& out,
                    std::map<std::string, std::string>& seen) {
    for (const auto& [name, node] : root.entries(key, "addresses, `us-east-1: IP:PORT`")) {
        const std::string path = join(std::string(key), name);
        if (node->unresolved)
            continue;
        out[name] = node->text;
        check_address(root.reading(), path, node->text);
        const auto [first, fresh] = seen.emplace(node->text, path);
        const auto address = policy::parse_address(node->text);
        if (!fresh && address && address->port != 0)
            root.reading().spoil(path, node->place,
                                 "`" + path + "` has the address of " + first->second + " already");
    }
}

void read_regions(MapReader& root, Settings& settings) {
    std::map<std::string, std::string> seen;
    if (root.has("regions")) {
        settings.regions.clear();
        read_addresses(root, "regions", settings.regions, seen);
        if (settings.regions.empty() && !root.reading().is_spoilt("regions"))
            root.wrong("regions", *root.find("regions"), "it needs at least one Region");
    }
    read_addresses(root, "mantle", settings.mantle, seen);
}

void read_split(MapReader& map, simulator::SplitLimits& limits) {
    const std::pair<std::string_view, std::optional<std::uint64_t>*> all[] = {
        {"input_tokens_per_minute", &limits.input_tokens_per_minute},
        {"output_tokens_per_minute", &limits.output_tokens_per_minute}};
    for (const auto& [key, limit] : all) {
        map.count(key, *limit);
        if (limit->has_value())
            not_zero(map, key, **limit);
    }
}

/// Does the stand-in have this place, `REGION` or `REGION/mantle`?
bool has_place(const Settings& settings, std::string_view place) {
    constexpr std::string_view kMantle = "/mantle";
    return place.ends_with(kMantle) ? settings.mantle.contains(std::string(
                                          place.substr(0, place.size() - kMantle.size())))
                                    : settings.regions.contains(std::string(place));
}

void read_model(Reading& reading, const YamlNode& node, const std::string& path,
                ModelSettings& model) {
    MapReader map(reading, &node, path);
    const std::pair<std::string_view, std::optional<std::uint64_t>*> limits[] = {
        {"requests_per_minute", &model.requests_per_minute},
        {"tokens_per_minute", &model.tokens_per_minute},
        {"tokens_per_day", &model.tokens_per_day}};
    for (const auto& [key, limit] : limits) {
        map.count(key, *limit);
        // A day's quota of 0 is what new accounts really have.
        if (limit->has_value() && key != "tokens_per_day")
            not_zero(map, key, **limit);
    }
    map.count("output_burndown", model.output_burndown);
    if (map.has("output_burndown"))
        not_zero(map, "output_burndown", model.output_burndown);
    map.duration("time_to_first_token", model.time_to_first_token);
    map.number("tokens_per_second", model.tokens_per_second);
    if (model.tokens_per_second <= 0)
        map.wrong("tokens_per_second", *map.find("tokens_per_second"), "it must be above 0");
    map.flag("refused_count", model.refused_count);
    {
        MapReader mantle(reading, map.find("mantle"), join(path, "mantle"));
        read_split(mantle, model.mantle);
        mantle.choice<std::string>("path", model.mantle_path,
                                   {{"/v1", "/v1"}, {"/openai/v1", "/openai/v1"}});
        MapReader reserved(reading, map.find("reserved"), join(path, "reserved"));
        read_split(reserved, model.reserved);
    }
    MapReader output(reading, map.find("output_tokens"), join(path, "output_tokens"));
    output.number("mean", model.output_mean);
    if (model.output_mean < 1)
        output.wrong("mean", *output.find("mean"), "it must be 1 or more");
    output.number("spread", model.output_spread);
    if (model.output_spread < 0 || model.output_spread > 5)
        output.wrong("spread", *output.find("spread"), "it must be between 0 and 5");
}

void read_faults(MapReader& root, Settings& settings) {
    const auto& items = root.list("faults", "maps, each with `from`, `to` and `kind`");
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string path = at("faults", i);
        Reading& reading = root.reading();
        MapReader map(reading, &items[i], path);
        Fault fault;
        map.number("from", fault.from);
        map.number("to", fault.to);
        map.text("region", fault.region);
        map.text("model", fault.model);
        map.text("kind", fault.kind);
        map.number("probability", fault.probability);
        if (reading.is_spoilt(path))
            continue;
        if (fault.from < 0)
            map.wrong("from", *map.find("from"), "it must not be negative");
        if (map.has("to") && fault.to <= fault.from)
            map.wrong("to", *map.find("to"), "it must be later than `from`");
        if (!map.has("kind"))
            reading.spoil(path, items[i].place,
                          "a fault needs a `kind`; allowed are " + simulator::fault_kind_names());
        else if (!simulator::parse_fault_kind(fault.kind))
            map.wrong("kind", *map.find("kind"), "allowed are " + simulator::fault_kind_names());
        if (!fault.region.empty() && !has_place(settings, fault.region))
            map.wrong("region", *map.find("region"),
                      "it is not among `regions`, nor REGION/mantle of one among `mantle`");
        if (fault.probability < 0 || fault.probability > 1)
            map.wrong("probability", *map.find("probability"), "it must be between 0 and 1");
        settings.faults.push_back(std::move(fault));
    }
}

void read_accounts(MapReader& root, Settings& settings) {
    std::map<std::string, std::string> seen{{settings.access_key_id, "credentials"}};
    for (const auto& [name, node] : root.entries("accounts", "pairs of keys, `prod: {...}`")) {
        const std::string path = join("accounts", name);
        MapReader map(root.reading(), node, path);
        simulator::KeyPair& pair = settings.accounts[name];
        map.text("access_key_id", pair.access_key_id);
        map.text("secret_access_key", pair.secret_access_key);
        root.reading().complaints.hide(pair.secret_access_key, "(a secret)");
        if (root.reading().is_spoilt(path))
            continue;
        if (pair.access_key_id.empty() || pair.secret_access_key.empty())
            root.reading().spoil(path, node->place,
                                 "`" + path + "` needs access_key_id and secret_access_key");
        const auto [first, fresh] = seen.emplace(pair.access_key_id, path);
        if (!fresh)
            root.reading().spoil(
                path, node->place,
                "`" + path + "` has the access_key_id of " + first->second + " already");
    }
}

void read_settings(Reading& reading, const YamlNode& node, Settings& settings) {
    reading.index(node, "");
    MapReader root(reading, &node, "");
    if (node.kind == YamlNode::Kind::map)
        settings.admin.clear();  // a file says all there is
    read_regions(root, settings);
    {
        MapReader map(reading, root.find("credentials"), "credentials");
        map.text("access_key_id", settings.access_key_id);
        map.text("secret_access_key", settings.secret_access_key);
        map.flag("verify", settings.verify);
        reading.complaints.hide(settings.secret_access_key, "(a secret)");
    }
    read_accounts(root, settings);
    root.flag("verify", settings.verify);
    root.duration("quota_window", settings.quota_window);
    if (settings.quota_window < std::chrono::milliseconds(100))
        root.wrong("quota_window", *root.find("quota_window"), "the shortest allowed is 100ms");
    root.choice<WindowKind>("window_kind", settings.window_kind,
                            {{"sliding", WindowKind::sliding},
                             {"fixed", WindowKind::fixed},
                             {"bucket", WindowKind::bucket},
                             {"short_bucket", WindowKind::short_bucket}});
    if (root.has("models"))
        settings.models.clear();
    for (const auto& [name, model] : root.entries("models", "settings, `model-id: {...}`"))
        read_model(reading, *model, join("models", name), settings.models[name]);
    read_faults(root, settings);
    root.text("admin", settings.admin);
    if (!settings.admin.empty())
        check_address(reading, "admin", settings.admin);
    root.count("seed", settings.seed);
}

}  // namespace

LoadedSim parse_sim(std::string_view text, const std::string& name, const Getenv& getenv) {
    Reading reading(name);
    Settings settings = default_settings();
    if (text.size() > kMostSim)
        reading.complaints.add({}, "it is larger than 1 MiB, which no such file needs");
    else if (auto root = parse_yaml(text, reading.complaints)) {
        std::vector<std::string> files;
        substitute(*root, getenv, reading.complaints, files);
        read_settings(reading, *root, settings);
    }
    return {std::move(settings), reading.complaints.take()};
}

LoadedSim load_sim(const std::string& path, const Getenv& getenv) {
    if (path.empty())
        return {default_settings(), {}};
    auto text = read_text(path, kMostSim, false);
    if (!text)
        return {default_settings(), {{path, 0, 0, "cannot be read: " + text.error().message}}};
    return parse_sim(*text, path, getenv);
}

}  // namespace weir::cli
