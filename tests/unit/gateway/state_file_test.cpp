// The state file: what is written comes back, and what is no state is refused in words.
#include "gateway/state_file.h"
#include "unit/read_file.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace weir::gateway {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::int64_t kNowMs = 1'800'000'000'000;

EngineState sample_state() {
    EngineState state;
    state.window = 60s;
    EngineState::Pool& pool = state.pools.emplace_back();
    pool.targets = {{"us-east-1", "us.anthropic.claude-0", Endpoint::runtime, Tier::flex},
                    {"us-east-1", "plain \"quotes\" \x01", Endpoint::mantle, Tier::reserved}};
    pool.throttled = true;
    EngineState::Meter& meter = pool.meters.emplace_back();
    meter.kind = LimitKind::tokens;
    meter.used = {{59s, 1000}, {1500ms, 123'456'789'012}};
    meter.foreign = 1234.5;
    meter.shapes.fill(1.0 / 15);
    meter.slot_age = 3s;
    meter.debts = {1, 2.5, 3};
    meter.returned = 77;
    meter.beyond = 3;
    meter.probe_pause = 8s;
    meter.probe_in = 2s;
    meter.learned.limit = 200'000;
    meter.learned.peaks = {6, 5, 4, 3, 2, 1};
    meter.learned.largest = 4096;
    meter.learned.disputed = 12;
    meter.learned.refused = 61s;
    pool.meters.emplace_back().kind = LimitKind::daily_tokens;
    return state;
}

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "weir-state-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path_); }
    std::string file(const std::string& name = "state.json") const { return path_ / name; }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

TEST(StateText, ComesBackAsItWent) {
    const auto back = parse_state(state_text(sample_state(), true, kNowMs), kNowMs + 7000);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->window, 60s);
    EXPECT_EQ(back->age, 7s);
    EXPECT_EQ(back->unrecorded, 0s);
    ASSERT_EQ(back->pools.size(), 1U);
    const auto& pool = back->pools[0];
    EXPECT_EQ(pool.targets, sample_state().pools[0].targets);
    EXPECT_TRUE(pool.throttled);
    ASSERT_EQ(pool.meters.size(), 2U);
    const auto& meter = pool.meters[0];
    ASSERT_EQ(meter.used.size(), 2U);
    EXPECT_EQ(meter.used[1].age, 1500ms);
    EXPECT_EQ(meter.used[1].amount, 123'456'789'012U);
    EXPECT_EQ(meter.foreign, 1234.5);
    EXPECT_EQ(meter.shapes, sample_state().pools[0].meters[0].shapes);
    EXPECT_EQ(meter.slot_age, 3s);
    EXPECT_EQ(meter.debts[1], 2.5);
    EXPECT_EQ(meter.returned, 77);
    EXPECT_EQ(meter.beyond, 3U);
    EXPECT_EQ(meter.probe_pause, 8s);
    EXPECT_EQ(meter.probe_in, 2s);
    EXPECT_EQ(meter.learned.limit, 200'000U);
    EXPECT_EQ(meter.learned.peaks, (std::array<std::uint64_t, 6>{6, 5, 4, 3, 2, 1}));
    EXPECT_EQ(meter.learned.refused, 61s);
    EXPECT_EQ(pool.meters[1].kind, LimitKind::daily_tokens);
    EXPECT_FALSE(pool.meters[1].learned.limit);
}

TEST(StateText, WhatWasNotCompleteMayHaveGoneOn) {
    const auto at = [](std::int64_t later) {
        return parse_state(state_text(sample_state(), false, kNowMs), kNowMs + later)->unrecorded;
    };
    EXPECT_EQ(at(1000), 1s);
    EXPECT_EQ(at(60'000), 4s);
    EXPECT_GT(at(0), 0s) << "or it would count as complete";
}

TEST(StateText, ClocksMayDifferALittle) {
    const std::string text = state_text(sample_state(), true, kNowMs);
    EXPECT_EQ(parse_state(text, kNowMs - 4000)->age, 0s);
    EXPECT_FALSE(parse_state(text, kNowMs - 6000));
    EXPECT_GT(parse_state(text, kNowMs + 40LL * 365 * 24 * 3600 * 1000)->age, 24h * 300);
}

TEST(StateText, RefusesWhatIsNoState) {
    struct Bad {
        std::string text;
        std::string says;
    };
    const std::string good = state_text(sample_state(), true, kNowMs);
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        const auto at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return text.replace(at, from.size(), to);
    };
    std::string deep(1'000'000, '[');
    std::string many = "[";
    for (int i = 0; i < 5000; ++i) {
        many += "[1,1],";
    }
    many += "[1,1]]";
    for (const Bad& bad : std::vector<Bad>{
             {"", "not what weir writes"},
             {"{", "not what weir writes"},
             {"null", "not what weir writes"},
             {"[]", "not what weir writes"},
             {"\xff\xfe", "not what weir writes"},
             {deep, "not what weir writes"},
             {good.substr(0, good.size() / 2), "cut off"},
             {with("\"weir_state\":1", "\"weir_state\":2"), "another version"},
             {with("\"weir_state\":1", "\"weir_state\":\"1\""), "number"},
             {with("\"window_ms\":60000", "\"window_ms\":-1"), "out of range"},
             {with("\"window_ms\":60000", "\"window_ms\":1e300"), "out of range"},
             {with("\"written_ms\"", "\"written\""), "no `written_ms`"},
             {with("123456789012", "1e16"), "out of range"},
             {with("123456789012", "-1"), "out of range"},
             {with("123456789012", "null"), "number"},
             {with("\"foreign\":1234.5", "\"foreign\":1e999"), ""},
             {with("\"tokens\"", "\"token\""), "word"},
             {with("\"flex\"", "\"flexible\""), "word"},
             {with("\"us-east-1\"", "7"), "name"},
             {with("\"us-east-1\"", '"' + std::string(3000, 'a') + '"'), "too long"},
             {with("[[59000,1000],[1500,123456789012]]", many), "too long"},
             {with("[[59000,1000]", "[[59000]"), "not what weir writes"},
             {with("[1.0,2.5,3.0]", "[1.0]"), "too short"},
             {R"({"written_ms":1})", "not what weir writes"},
             {with("\"pools\":[", "\"pools\":[7,"), "not what weir writes"},
             {with("[59000,1000]", "7"), "not what weir writes"},
             {with("\"targets\":[", "\"targets\":[7,"), "not what weir writes"},
             {with("\"targets\":[", "\"targets\":[[],"), "not what weir writes"},
         }) {
        const auto read = parse_state(bad.text, kNowMs);
        ASSERT_FALSE(read) << bad.text.substr(0, 200);
        EXPECT_NE(read.error().message.find(bad.says), std::string::npos) << read.error().message;
    }
}

TEST(StateText, WhatIsBeyondItsBoundsIsNotWritten) {
    EngineState state = sample_state();
    state.pools.resize(2500);
    const auto back = parse_state(state_text(state, true, kNowMs), kNowMs);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->pools.size(), 2000U);
    EXPECT_TRUE(back->pools[0].throttled);
    EXPECT_FALSE(back->pools[1].throttled);
    std::string odd = state_text(sample_state(), true, kNowMs);
    odd.replace(odd.find("\"throttled\":true"), 16, "\"throttled\":1   ");
    EXPECT_FALSE(parse_state(odd, kNowMs)->pools[0].throttled);
}

TEST(StateText, NoChangeOfABytePassesUnchecked) {
    EXPECT_TRUE(rc::check("a changed text is read or refused", [] {
        std::string text = state_text(sample_state(), true, kNowMs);
        const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
        text[at] = static_cast<char>(*rc::gen::inRange<int>(0, 256));
        if (const auto read = parse_state(text, kNowMs)) {
            for (const auto& pool : read->pools) {
                for (const auto& meter : pool.meters) {
                    for (const double weight : meter.shapes) {
                        RC_ASSERT(weight >= 0 && weight <= 1);
                    }
                    for (const auto& used : meter.used) {
                        RC_ASSERT(used.age >= 0s);
                    }
                }
            }
        }
    }));
}

TEST(StateFile, IsReplacedWholeAndPrivate) {
    const Folder folder;
    EXPECT_FALSE(*read_state(folder.file(), kNowMs)) << "not there";
    std::ofstream(folder.file() + ".tmp") << std::string(100'000, 'x');  // left by a crash
    fs::permissions(folder.file() + ".tmp", fs::perms::all);
    ASSERT_TRUE(write_state(folder.file(), state_text(sample_state(), true, kNowMs)));
    ASSERT_TRUE(*read_state(folder.file(), kNowMs));
    struct stat about{};
    ASSERT_EQ(::stat(folder.file().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600U);
    EXPECT_FALSE(fs::exists(folder.file() + ".tmp"));
}

TEST(StateFile, WhatIsNoFileIsRefused) {
    const Folder folder;
    fs::create_directory(folder.file("folder"));
    ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
    for (const char* name : {"folder", "pipe"}) {
        const auto read = read_state(folder.file(name), kNowMs);
        ASSERT_FALSE(read) << name;
        EXPECT_EQ(read.error().message, "it is no regular file");
        EXPECT_FALSE(can_write_state(folder.file(name)));
    }
    std::ofstream(folder.file("large")).seekp(9 << 20).put('x');
    EXPECT_NE(read_state(folder.file("large"), kNowMs).error().message.find("larger"),
              std::string::npos);
}

TEST(StateFile, TheUnfinishedFileFollowsNoLink) {
    const Folder folder;
    std::ofstream(folder.file("other")) << "precious";
    fs::create_symlink(folder.file("other"), folder.file() + ".tmp");
    EXPECT_FALSE(write_state(folder.file(), "{}"));
    EXPECT_EQ(read_file(folder.file("other")), "precious");
}

TEST(StateFile, WhereNoneCanBeMadeIsSaid) {
    const Folder folder;
    EXPECT_TRUE(can_write_state(folder.file()));
    EXPECT_FALSE(can_write_state(folder.file("absent/state.json")));
    std::ofstream(folder.file("file")) << "x";
    EXPECT_FALSE(can_write_state(folder.file("file/state.json")));
    const auto written = write_state(folder.file("absent/state.json"), "{}");
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().message.find("absent"), std::string::npos);
}

TEST(StateFile, WhatWasThereBeforeIsReadOrTheReasonIsLogged) {
    const Folder folder;
    std::string log;
    const auto before = [&](const std::string& name) {
        log.clear();
        return state_before(name, 60s, kNowMs + 5000, [&](LogLevel level, std::string_view line) {
            log = (level == LogLevel::warn ? "warn " : "info ") + std::string(line);
        });
    };
    EXPECT_TRUE(before("").pools.empty());
    EXPECT_EQ(log, "");
    EXPECT_TRUE(before(folder.file()).pools.empty());
    EXPECT_EQ(log, "info state_file: " + folder.file() +
                       " is not there yet; what was used of quotas before is not known");
    ASSERT_TRUE(write_state(folder.file(), state_text(sample_state(), true, kNowMs)));
    EXPECT_EQ(before(folder.file()).pools.size(), 1U);
    EXPECT_EQ(log,
              "info state_file: " + folder.file() + " tells the use of 1 quotas, as of 5 s ago");
    EngineState other = sample_state();
    other.window = 1s;
    ASSERT_TRUE(write_state(folder.file(), state_text(other, true, kNowMs)));
    EXPECT_TRUE(before(folder.file()).pools.empty());
    EXPECT_NE(log.find("it is of another quota_window"), std::string::npos) << log;
    ASSERT_TRUE(write_state(folder.file(), "{}"));
    EXPECT_TRUE(before(folder.file()).pools.empty());
    EXPECT_TRUE(log.starts_with("warn ")) << log;
    EXPECT_NE(log.find("is not used, because it is not what weir writes"), std::string::npos);
    EXPECT_TRUE(before(folder.file() + "/inside").pools.empty());
    EXPECT_NE(log.find("it cannot be read: "), std::string::npos) << log;
    EXPECT_TRUE(state_before(folder.file(), 60s, kNowMs, {}).pools.empty()) << "nobody listens";
}

TEST(StateFile, AFullDiskLeavesTheFormerFileAsItWas) {
    const Folder folder;
    ASSERT_TRUE(write_state(folder.file(), "before"));
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{10, limit.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto written = write_state(folder.file(), std::string(1000, 'x'));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(written);
    EXPECT_NE(written.error().message.find("cannot write " + folder.file()), std::string::npos);
    EXPECT_EQ(read_file(folder.file()), "before");
    EXPECT_FALSE(fs::exists(folder.file() + ".tmp"));
    fs::create_directories(folder.file("folder") + "/inside");
    EXPECT_FALSE(write_state(folder.file("folder"), "x")) << "a folder is not replaced";
    EXPECT_FALSE(fs::exists(folder.file("folder") + ".tmp"));
}

TEST(StateFile, APathWithoutAFolderIsInTheOneAtHand) {
    EXPECT_TRUE(can_write_state("weir-state-of-no-test.json"));
}

TEST(StateKeeper, WritesOnceWhileNothingIsUsed) {
    const Folder folder;
    std::atomic<int> taken = 0;
    EngineState idle = sample_state();
    idle.pools[0].throttled = false;
    idle.pools[0].meters[0].used.clear();
    idle.pools[0].meters[1].used = {{1h, 5}};  // of the day: older than any window
    StateKeeper keeper(folder.file(), 1ms,
                       [&] {
                           ++taken;
                           return idle;
                       },
                       {});
    const auto wait_for = [&](int count) {
        while (taken < count) {
            std::this_thread::sleep_for(1ms);
        }
    };
    wait_for(2);
    fs::remove(folder.file());
    wait_for(taken + 3);
    EXPECT_FALSE(fs::exists(folder.file())) << "there is nothing new to write";
    keeper.finish();
    EXPECT_TRUE(fs::exists(folder.file())) << "but for the last word";
}

TEST(StateKeeper, GoesOnWhereNobodyListens) {
    const Folder folder;
    std::atomic<int> taken = 0;
    StateKeeper keeper(folder.file("absent/state.json"), 1ms,
                       [&] {
                           if (++taken == 3) {
                               fs::create_directory(folder.file("absent"));
                           }
                           return sample_state();
                       },
                       {});
    while (taken < 5) {
        std::this_thread::sleep_for(1ms);
    }
    keeper.finish();
    EXPECT_TRUE(fs::exists(folder.file("absent/state.json")));
}

TEST(StateKeeper, WritesWhileThereIsUseAndALastWord) {
    const Folder folder;
    std::atomic<int> taken = 0;
    EngineState state = sample_state();
    state.pools[0].throttled = false;
    StateKeeper keeper(folder.file(), 1ms,
                       [&] {
                           ++taken;
                           return state;
                       },
                       {});
    while (taken < 3) {
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_NE(read_file(folder.file()).find("\"complete\":false"), std::string::npos);
    keeper.finish();
    EXPECT_NE(read_file(folder.file()).find("\"complete\":true"), std::string::npos);
    const int after = taken;
    keeper.finish();
    EXPECT_EQ(taken, after) << "once";
}

TEST(StateKeeper, SaysOnceThatItCannotWrite) {
    const Folder folder;
    const fs::path inner = folder.path() / "inner";
    fs::create_directory(inner);
    std::mutex mutex;
    std::vector<std::string> lines;
    std::atomic<int> taken = 0;
    const auto count = [&] {
        const std::scoped_lock lock(mutex);
        return lines.size();
    };
    fs::remove(inner);
    StateKeeper keeper((inner / "state.json").string(), 1ms,
                       [&] {
                           ++taken;
                           return sample_state();
                       },
                       [&](LogLevel, std::string_view line) {
                           const std::scoped_lock lock(mutex);
                           lines.emplace_back(line);
                       });
    while (taken < 5) {
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(count(), 1U);
    fs::create_directory(inner);
    while (count() < 2) {
        std::this_thread::sleep_for(1ms);
    }
    keeper.finish();
    EXPECT_EQ(count(), 2U);
    EXPECT_NE(lines[1].find("written again"), std::string::npos);
}

}  // namespace
}  // namespace weir::gateway
