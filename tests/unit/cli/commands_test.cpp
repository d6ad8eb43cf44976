// The small commands, and the log they share.

#include "cli/check_command.h"
#include "cli/env_command.h"
#include "cli/key_command.h"
#include "cli/logging.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>
#include <sstream>

namespace weir::cli {
namespace {

TEST(EnvCommand, EveryClientHasItsVariables) {
    const std::pair<const char*, const char*> expected[] = {
        {"boto3", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"js", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"go", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"java", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"langchain", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"claude-code", "export ANTHROPIC_BEDROCK_BASE_URL=http://h:1\n"},
        {"claude-code", "export CLAUDE_CODE_USE_BEDROCK=1\n"},
        {"claude-code", "export CLAUDE_CODE_SKIP_BEDROCK_AUTH=1\n"},
        {"litellm", "export AWS_BEDROCK_RUNTIME_ENDPOINT=http://h:1\n"},
        {"anthropic", "export ANTHROPIC_BEDROCK_BASE_URL=http://h:1\n"},
        {"openai", "OPENAI_BASE_URL=http://h:1/openai/v1\n"},
        {"aws", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"rust", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"langchain", "export AWS_ENDPOINT_URL_BEDROCK=http://h:1\n"},
        {"llamaindex", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"strands", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"pydantic-ai", "base_url=\"http://h:1\""},
        {"haystack", "export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://h:1\n"},
        {"langchain4j", "URI.create(\"http://h:1\")"},
        {"vercel", "baseURL: \"http://h:1\""},
        {"anthropic", "export ANTHROPIC_BEDROCK_MANTLE_BASE_URL=http://h:1/anthropic\n"},
        {"anthropic", "pip install anthropic[bedrock]"},
    };
    std::set<std::string> seen;
    for (const auto& [client, line] : expected) {
        const auto text = environment_for(client, "http://h:1");
        ASSERT_TRUE(text.has_value()) << client;
        EXPECT_NE(text->find(line), std::string::npos) << *text;
        seen.insert(client);
    }
    EXPECT_EQ(seen.size(), known_clients().size());
}

TEST(EnvCommand, OnlyExportsAndRemarksSoThatAShellCanReadIt) {
    for (const std::string& client : known_clients()) {
        std::istringstream lines(*environment_for(client, "http://h:1"));
        for (std::string line; std::getline(lines, line);)
            EXPECT_TRUE(line.starts_with("export ") || line.starts_with("#")) << line;
    }
}

TEST(EnvCommand, AnUnknownClientGetsTheList) {
    const auto text = environment_for("perl", "http://h:1");
    ASSERT_FALSE(text.has_value());
    EXPECT_NE(text.error().message.find("boto3, aws, js, go"), std::string::npos);
}

TEST(KeyCommand, KeysAreLongRandomAndHashed) {
    EXPECT_EQ(sha256_hex("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    std::set<std::string> keys;
    for (int i = 0; i < 100; ++i) {
        const auto key = new_key();
        ASSERT_TRUE(key.has_value());
        EXPECT_EQ(key->key.size(), 48U);
        EXPECT_TRUE(key->key.starts_with("weir_"));
        EXPECT_EQ(key->key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                             "0123456789-_"),
                  std::string::npos);
        EXPECT_EQ(key->sha256, sha256_hex(key->key));
        keys.insert(key->key);
    }
    EXPECT_EQ(keys.size(), 100U);
}

TEST(KeyCommand, TheEntryCanBePasted) {
    const auto key = new_key();
    const auto text = key_text("chat", *key);
    ASSERT_TRUE(text.has_value());
    EXPECT_NE(text->find(key->key), std::string::npos);
    const std::size_t entry = text->find("  - {name:");
    ASSERT_NE(entry, std::string::npos);
    const auto loaded = parse_config("clients:\n" + text->substr(entry), "f", {});
    EXPECT_TRUE(loaded.complaints.empty());
    ASSERT_EQ(loaded.config.clients.size(), 1U);
    EXPECT_EQ(loaded.config.clients[0].key_sha256[0], key->sha256);
    EXPECT_EQ(text->substr(entry).find(key->key), std::string::npos)
        << "the file has the hash only";
    for (const char* name : {"", "a b", "a\"", "../x", "a/b"})
        EXPECT_FALSE(key_text(name, *key).has_value()) << name;
}

TEST(KeyCommand, PairsAreWhatTheyPromise) {
    std::set<std::string> ids;
    for (int i = 0; i < 100; ++i) {
        const auto pair = new_pair();
        ASSERT_TRUE(pair.has_value());
        EXPECT_EQ(pair->access_key_id.size(), 20U);
        EXPECT_TRUE(pair->access_key_id.starts_with("WEIR"));
        EXPECT_EQ(pair->access_key_id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
                  std::string::npos);
        EXPECT_EQ(pair->secret_access_key.size(), 40U);
        ids.insert(pair->access_key_id);
    }
    EXPECT_EQ(ids.size(), 100U);
}

TEST(KeyCommand, ThePairsEntryCanBePasted) {
    const auto pair = new_pair();
    const auto text = pair_text("chat", *pair);
    ASSERT_TRUE(text.has_value());
    EXPECT_NE(text->find("AWS_ACCESS_KEY_ID=" + pair->access_key_id), std::string::npos);
    const auto loaded =
        parse_config("clients:\n" + text->substr(text->find("  - {name:")), "f", {});
    EXPECT_TRUE(loaded.complaints.empty());
    ASSERT_EQ(loaded.config.clients.size(), 1U);
    EXPECT_EQ(loaded.config.clients[0].access_key_id, pair->access_key_id);
    EXPECT_EQ(loaded.config.clients[0].secret_access_key, pair->secret_access_key);
    const std::string printed = print_config(loaded.config);
    EXPECT_NE(printed.find(pair->access_key_id), std::string::npos);
    EXPECT_EQ(printed.find(pair->secret_access_key), std::string::npos);
    EXPECT_NE(printed.find("# set, and not shown"), std::string::npos) << printed;
    EXPECT_FALSE(pair_text("a b", *pair).has_value());
}

TEST(CheckCommand, ExitCodesAndPlaces) {
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(run_check(WEIR_SOURCE_DIR "/docs/weir.example.yaml", {}, out, err), 0);
    EXPECT_EQ(run_check(WEIR_SOURCE_DIR "/docs/weir.sim.yaml", {}, out, err), 0);
    EXPECT_NE(out.str().find("good (2 Regions, 1 quota, 1 route, 2 clients)"), std::string::npos)
        << out.str();
    EXPECT_EQ(err.str(), "");
    EXPECT_EQ(run_check("/no/such", {}, out, err), 2);
    EXPECT_NE(err.str().find("/no/such: cannot be read"), std::string::npos);
    EXPECT_EQ(run_print_config("/no/such", {}, out, err), 2);
    EXPECT_EQ(run_print_config("", {}, out, err), 0);
    EXPECT_NE(out.str().find("quota_window: 60s"), std::string::npos);
}

TEST(Log, OneLineWhateverTheMessage) {
    const std::string text = format_log_line(LogLevel::warn, "a\nb\x1b", 1'700'000'000'123, false);
    EXPECT_EQ(text, "2023-11-14T22:13:20.123Z warn  a\\x0ab\\x1b");
    const std::string json = format_log_line(LogLevel::error, "a\n\"\xff", 1'700'000'000'123, true);
    EXPECT_EQ(json.find('\n'), std::string::npos);
    const auto parsed = nlohmann::json::parse(json);
    EXPECT_EQ(parsed["level"], "error");
    EXPECT_EQ(parsed["ts"], "2023-11-14T22:13:20.123Z");
    EXPECT_EQ(parsed["message"], "a\n\"\xEF\xBF\xBD");
}

}  // namespace
}  // namespace weir::cli
