// Refusals that one instance tells and another hears, through a real server.
#include "shared/refusals.h"
#include "unit/shared/support.h"

#include <atomic>

namespace weir::shared::test {
namespace {

using namespace std::chrono_literals;

PastRefusal full() {
    PastRefusal past;
    past.refusal.reason = RefusalReason::deadline;
    past.refusal.retry_after = 12s;
    past.refusal.region = "us-east-1";
    past.refusal.model = "us.anthropic.claude:0";
    past.refusal.limit_kind = LimitKind::tokens;
    past.refusal.limit = 200'000;
    past.refusal.used = 198'400;
    past.refusal.cost = 68'000;
    past.left = 12s;
    past.age = 55s;
    past.waited = 45s;
    past.attempts = 2;
    return past;
}

TEST(Refusals, ArePutIntoTextAndBack) {
    const auto again = past_refusal(text_of(full()));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->refusal.reason, RefusalReason::deadline);
    EXPECT_GT(again->refusal.retry_after, 0s) << "the store knows how long";
    EXPECT_EQ(again->refusal.region, "us-east-1");
    EXPECT_EQ(again->refusal.model, "us.anthropic.claude:0");
    EXPECT_EQ(again->refusal.limit_kind, LimitKind::tokens);
    EXPECT_EQ(again->refusal.limit, 200'000U);
    EXPECT_EQ(again->refusal.used, 198'400U);
    EXPECT_EQ(again->refusal.cost, 68'000U);
    EXPECT_EQ(again->age, 55s);
    EXPECT_EQ(again->waited, 45s);
    EXPECT_EQ(again->attempts, 2U);
    EXPECT_FALSE(again->refusal.upstream);
}

TEST(Refusals, AnotherProgramsTextIsNone) {
    const std::string good = text_of(full());
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(past_refusal(good.substr(0, size))) << size;
    }
    for (const auto* bad : {"", ":", "x:1", "-1:1", "99999999999999999999:1", "2:991:0"}) {
        EXPECT_FALSE(past_refusal(bad)) << bad;
    }
}

class StoredRefusals : public ::testing::Test {
protected:
    StoredRefusals() : rig_(server_.url(), std::string(Refusals::script())) {
        rig_.on_loop([this] { refusals_.emplace(rig_.loop(), rig_.store(), "weir"); });
        EXPECT_TRUE(rig_.goes_up());
    }
    ~StoredRefusals() override {
        rig_.on_loop([this] {
            rig_.store().stop();
            refusals_.reset();
        });
    }
    void put(const std::string& client, const std::string& invocation, const PastRefusal& past) {
        rig_.on_loop([&] { refusals_->put(client, invocation, past); });
    }
    std::optional<PastRefusal> find(const std::string& client, const std::string& invocation) {
        std::promise<std::optional<PastRefusal>> found;
        rig_.on_loop([&] {
            refusals_->find(client, invocation, [&](std::optional<PastRefusal> past) {
                found.set_value(std::move(past));
            });
        });
        return found.get_future().get();
    }

    const RedisServer server_;
    Rig rig_;
    std::optional<Refusals> refusals_;
};

TEST_F(StoredRefusals, AreFoundByTheirClientAndInvocationUntilTheirTimeIsOver) {
    put("chat", "i-1", full());
    PastRefusal brief = full();
    brief.left = 1ms;
    put("chat", "i-2", brief);
    ASSERT_TRUE(eventually([&] { return find("chat", "i-1").has_value(); }));
    const auto found = find("chat", "i-1");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->refusal.model, "us.anthropic.claude:0");
    EXPECT_LE(found->left, 12s);
    EXPECT_GT(found->left, 1s);
    EXPECT_EQ(found->refusal.retry_after, found->left);
    EXPECT_GE(found->age, 55s);
    EXPECT_FALSE(find("etl", "i-1")) << "another client's";
    EXPECT_TRUE(eventually([&] { return !find("chat", "i-2"); }));
}

TEST_F(StoredRefusals, AreBoundedAndForgottenTheSoonestToEndFirst) {
    PastRefusal long_one = full();
    long_one.left = 1h;
    put("c", "kept", long_one);
    ASSERT_TRUE(eventually([&] { return find("c", "kept").has_value(); }));
    for (int turn = 0; turn < 30; ++turn) {
        for (int i = 0; i < 1000; ++i) {
            put("c", std::to_string(1000 * turn + i), full());
        }
        std::this_thread::sleep_for(40ms);
    }
    std::this_thread::sleep_for(100ms);
    EXPECT_LE(server_.command({"ZCARD", "weir:{refused}:z"}).integer, 20'000);
    EXPECT_EQ(server_.command({"ZCARD", "weir:{refused}:z"}).integer,
              server_.command({"HLEN", "weir:{refused}"}).integer);
    EXPECT_TRUE(eventually([&] { return find("c", "kept").has_value(); }));
    EXPECT_GT(server_.command({"TTL", "weir:{refused}"}).integer, 3600);
}

TEST_F(StoredRefusals, AreAskedForSoManyAtATimeAndNoMore) {
    std::atomic<int> told{0};
    int at_once = 0;
    rig_.on_loop([&] {
        for (int i = 0; i < 300; ++i) {
            refusals_->find("c", std::to_string(i), [&told](const auto&) { ++told; });
        }
        at_once = told;
    });
    EXPECT_EQ(at_once, 300 - 256);
    EXPECT_TRUE(eventually([&] { return told == 300; }));
    put("c", "i", full());
    EXPECT_TRUE(eventually([&] { return find("c", "i").has_value(); }));
}

TEST_F(StoredRefusals, AreNotThereWithoutTheStore) {
    rig_.on_loop([this] { rig_.store().stop(); });
    put("c", "i", full());
    EXPECT_FALSE(find("c", "i"));
}

}  // namespace
}  // namespace weir::shared::test
