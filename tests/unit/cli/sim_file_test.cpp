#include "cli/sim_file.h"

#include <gtest/gtest.h>

namespace weir::cli {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> sim_complaints(const std::string& text) {
    std::vector<std::string> lines;
    for (const Complaint& complaint : parse_sim(text, "sim.yaml", {}).complaints)
        lines.push_back(to_string(complaint));
    return lines;
}

TEST(SimFile, AnAccountNeedsAPairOfItsOwn) {
    EXPECT_EQ(sim_complaints("credentials: {access_key_id: A, secret_access_key: s}\n"
                             "accounts:\n"
                             "  prod: {access_key_id: A, secret_access_key: p}\n"
                             "  dev: {access_key_id: D}\n"),
              (std::vector<std::string>{
                  "sim.yaml:3:9: `accounts.prod` has the access_key_id of credentials already",
                  "sim.yaml:4:8: `accounts.dev` needs access_key_id and secret_access_key"}));
}

TEST(SimFile, EveryKeyArrives) {
    const auto loaded = parse_sim(R"(
regions: {us-east-1: 127.0.0.1:9001, us-west-2: "[::1]:0"}
mantle: {us-east-1: 127.0.0.1:9011}
credentials: {access_key_id: AKID, secret_access_key: hush}
accounts: {prod: {access_key_id: AKIDP, secret_access_key: husher}}
verify: false
quota_window: 6s
window_kind: bucket
models:
  us.big:
    {requests_per_minute: 200, tokens_per_minute: 200000, tokens_per_day: 0, output_burndown: 5,
     time_to_first_token: 40ms, tokens_per_second: 600, refused_count: false,
     mantle: {input_tokens_per_minute: 20, output_tokens_per_minute: 4, path: /openai/v1},
     reserved: {output_tokens_per_minute: 3},
     output_tokens: {mean: 250, spread: 0.8}}
  "*": {}
faults:
  - {from: 10, to: 20, region: us-east-1, kind: unavailable, probability: 0.5}
  - {from: 1.5, to: 2, model: us.big, region: us-east-1/mantle, kind: mid_stream}
admin: 127.0.0.1:9000
seed: 7
)",
                                  "sim.yaml", {});
    for (const Complaint& complaint : loaded.complaints)
        ADD_FAILURE() << to_string(complaint);
    const simulator::Settings& s = loaded.settings;
    EXPECT_EQ(s.regions.at("us-west-2"), "[::1]:0");
    EXPECT_EQ(s.access_key_id + s.secret_access_key, "AKIDhush");
    ASSERT_EQ(s.accounts.size(), 1U);
    EXPECT_EQ(s.accounts.at("prod").secret_access_key, "husher");
    EXPECT_FALSE(s.verify);
    EXPECT_EQ(s.quota_window, 6s);
    EXPECT_EQ(s.window_kind, simulator::WindowKind::bucket);
    ASSERT_EQ(s.models.size(), 2U);
    const auto& model = s.models.at("us.big");
    EXPECT_EQ(model.requests_per_minute, 200U);
    EXPECT_EQ(model.tokens_per_minute, 200'000U);
    EXPECT_EQ(model.tokens_per_day, 0U);
    EXPECT_EQ(model.output_burndown, 5U);
    EXPECT_EQ(model.time_to_first_token, 40ms);
    EXPECT_EQ(model.tokens_per_second, 600);
    EXPECT_EQ(model.output_mean, 250);
    EXPECT_EQ(model.output_spread, 0.8);
    EXPECT_FALSE(model.refused_count);
    EXPECT_EQ(s.mantle.at("us-east-1"), "127.0.0.1:9011");
    EXPECT_EQ(model.mantle.input_tokens_per_minute, 20U);
    EXPECT_EQ(model.mantle.output_tokens_per_minute, 4U);
    EXPECT_EQ(model.mantle_path, "/openai/v1");
    EXPECT_EQ(model.reserved.output_tokens_per_minute, 3U);
    ASSERT_EQ(s.faults.size(), 2U);
    EXPECT_EQ(s.faults[0].probability, 0.5);
    EXPECT_EQ(s.faults[1].from, 1.5);
    EXPECT_EQ(s.faults[1].model, "us.big");
    EXPECT_EQ(s.admin, "127.0.0.1:9000");
    EXPECT_EQ(s.seed, 7U);
}

TEST(SimFile, WithoutAFileTwoRegionsAreThere) {
    const auto loaded = load_sim("", {});
    EXPECT_TRUE(loaded.complaints.empty());
    EXPECT_EQ(loaded.settings.regions.size(), 2U);
    EXPECT_FALSE(loaded.settings.admin.empty());
    EXPECT_TRUE(loaded.settings.models.contains("*"));
}

TEST(SimFile, OneMistakeOneComplaintWithItsPlace) {
    const std::pair<const char*, const char*> cases[] = {
        {"regions: {}\n", "sim.yaml:1:10: `regions` is a map; it needs at least one Region"},
        {"regions: {a: 9001}\n", "sim.yaml:1:14: `regions.a` is not an address"},
        {"regions: {a: 127.0.0.1:1, b: 127.0.0.1:1}\n", "sim.yaml:1:30: `regions.b` has the"},
        {"window_kind: square\n", "sim.yaml:1:14: `window_kind` is `square`; allowed are sliding"},
        {"window: 5s\n", "sim.yaml:1:1: unknown key `window`"},
        {"quota_window: 60\n", "sim.yaml:1:15: `quota_window` is `60`; a duration needs a unit"},
        {"quota_window: 1ms\n", "sim.yaml:1:15: `quota_window` is `1ms`; the shortest"},
        {"models: {m: {tokens_per_minute: 0}}\n", "sim.yaml:1:33: `models.m.tokens_per_minute`"},
        {"models: {m: {tokens_per_second: 0}}\n", "sim.yaml:1:33: "},
        {"models: {m: {output_tokens: {mean: 0}}}\n", "sim.yaml:1:36: "},
        {"models: {m: {output_tokens: {mode: 5}}}\n", "sim.yaml:1:30: unknown key `mode`"},
        {"faults: [{from: 1, to: 2, kind: gremlin}]\n", "sim.yaml:1:33: "},
        {"faults: [{from: 3, to: 2, kind: reset}]\n", "sim.yaml:1:24: "},
        {"faults: [{from: 1, to: 2}]\n", "sim.yaml:1:10: a fault needs a `kind`"},
        {"faults: [{from: 1, to: 2, kind: reset, region: mars}]\n", "sim.yaml:1:48: "},
        {"faults: [{from: 1, to: 2, kind: reset, probability: 2}]\n", "sim.yaml:1:53: "},
        {"admin: nowhere\n", "sim.yaml:1:8: `admin` is not an address"},
        {"[]\n", "sim.yaml:1:1: the file is a list"},
    };
    for (const auto& [text, start] : cases) {
        const auto lines = sim_complaints(text);
        ASSERT_EQ(lines.size(), 1U) << text << (lines.empty() ? "" : lines[0] + "\n" + lines[1]);
        EXPECT_TRUE(lines[0].starts_with(start)) << lines[0];
    }
}

TEST(SimFile, FilesThatCannotBeRead) {
    EXPECT_EQ(load_sim("/no/such", {}).complaints.size(), 1U);
    EXPECT_EQ(load_sim("/tmp", {}).complaints.size(), 1U);
}

}  // namespace
}  // namespace weir::cli
