// Cluster mode, with three real servers.

#include "unit/shared/support.h"

#include <cstdlib>
#include <set>

namespace weir::shared::test {
namespace {

class Three {
public:
    Three() {
        std::string all;
        for (auto& one : servers_) {
            one = std::make_unique<RedisServer>(
                std::vector<std::string>{"--cluster-enabled", "yes", "--cluster-node-timeout",
                                         "1000", "--cluster-require-full-coverage", "no"});
            all += " 127.0.0.1:" + std::to_string(one->port());
        }
        const std::string command =
            "redis-cli --cluster create" + all + " --cluster-yes >/dev/null 2>&1";
        EXPECT_EQ(std::system(command.c_str()), 0);
        for (const auto& one : servers_) {
            EXPECT_TRUE(eventually([&] {
                const std::string info = one->command({"CLUSTER", "INFO"}).text;
                return info.find("cluster_state:ok") != std::string::npos &&
                       info.find("cluster_slots_ok:16384") != std::string::npos &&
                       info.find("cluster_known_nodes:3") != std::string::npos;
            }));
        }
    }

    RedisServer& operator[](std::size_t i) { return *servers_[i]; }
    std::string id(std::size_t i) { return servers_[i]->command({"CLUSTER", "MYID"}).text; }
    SharedConfig config() const {
        SharedConfig config = Rig::of(servers_[0]->url());
        config.cluster = true;
        return config;
    }
    /// Which of the three has the key's slot.
    std::size_t owner(const std::string& key) {
        const std::string slot = std::to_string(slot_of(key));
        for (std::size_t i = 0; i < 3; ++i) {
            if (servers_[i]->command({"CLUSTER", "COUNTKEYSINSLOT", slot}).integer > 0) {
                return i;
            }
        }
        return 3;
    }

private:
    std::array<std::unique_ptr<RedisServer>, 3> servers_;
};

class ClusterTest : public testing::Test {
protected:
    Three three;
    std::vector<std::string> keys = [] {
        std::vector<std::string> made;
        for (int i = 0; i < 30; ++i) {
            made.push_back("weir:{quota-" + std::to_string(i) + "}");
        }
        return made;
    }();
};

TEST_F(ClusterTest, EachKeyIsAskedForWhereItIs) {
    Rig rig(three.config());
    EXPECT_TRUE(rig.goes_up()) << rig.log();
    std::set<std::size_t> used;
    for (const std::string& key : keys) {
        EXPECT_EQ(rig.must(key).integer, 1);
        used.insert(three.owner(key));
    }
    EXPECT_EQ(used, (std::set<std::size_t>{0, 1, 2}));
    EXPECT_LE(rig.counters().connections.load(), 3U) << "one a server";
    EXPECT_TRUE(rig.on_loop([&] { return rig.store().up(keys[0]); }));
    Rig alone(three[0].url());  // `cluster` forgotten
    EXPECT_TRUE(eventually([&] {
        for (const std::string& key : keys) {
            alone.call(key);
        }
        return alone.log().find("cluster: true") != std::string::npos;
    }));
}

TEST_F(ClusterTest, AMovedSlotIsFollowed) {
    Rig rig(three.config());
    const std::string key = keys[0];
    ASSERT_EQ(rig.must(key).integer, 1);
    const std::size_t from = three.owner(key);
    ASSERT_LT(from, 3U);
    const std::size_t to = (from + 1) % 3;
    const std::string slot = std::to_string(slot_of(key));
    const std::string from_id = three.id(from);
    const std::string to_id = three.id(to);
    // Half-way through a migration: the key is at the target, the slot is not.
    ASSERT_EQ(three[to].command({"CLUSTER", "SETSLOT", slot, "IMPORTING", from_id}).text, "OK");
    ASSERT_EQ(three[from].command({"CLUSTER", "SETSLOT", slot, "MIGRATING", to_id}).text, "OK");
    ASSERT_EQ(
        three[from]
            .command({"MIGRATE", "127.0.0.1", std::to_string(three[to].port()), key, "0", "5000"})
            .text,
        "OK");
    EXPECT_EQ(rig.must(key).integer, 2) << "by ASK";
    ASSERT_EQ(three[to].command({"CLUSTER", "SETSLOT", slot, "NODE", to_id}).text, "OK");
    ASSERT_EQ(three[from].command({"CLUSTER", "SETSLOT", slot, "NODE", to_id}).text, "OK");
    EXPECT_EQ(rig.must(key).integer, 3) << "by MOVED";
    EXPECT_EQ(rig.must(key).integer, 4);
    EXPECT_TRUE(rig.goes_up());
}

TEST_F(ClusterTest, OneServersDeathLeavesTheOthersKeys) {
    Rig rig(three.config());
    for (const std::string& key : keys) {
        rig.must(key);
    }
    std::string lost;
    std::string kept;
    for (const std::string& key : keys) {
        (three.owner(key) == 2 ? lost : kept) = key;
    }
    three[2].kill();
    ASSERT_TRUE(eventually([&] { return !rig.on_loop([&] { return rig.store().up(lost); }); }));
    EXPECT_EQ(rig.must_fail(StoreError::down, lost).may_have_run, false);
    EXPECT_EQ(rig.must(kept).integer, 2);
    EXPECT_FALSE(rig.on_loop([&] { return rig.store().up(); }));
    EXPECT_FALSE(rig.counters().up);
    EXPECT_TRUE(rig.goes_down(std::to_string(three[2].port()) + ": "));
}

TEST_F(ClusterTest, TheServerOfTheUrlMayDie) {
    Rig rig(three.config());
    ASSERT_TRUE(rig.goes_up());
    std::string kept;
    for (const std::string& key : keys) {
        rig.must(key);
        if (three.owner(key) != 0) {
            kept = key;
        }
    }
    three[0].kill();
    EXPECT_TRUE(rig.goes_down("127.0.0.1:"));
    EXPECT_EQ(rig.must(kept).integer, 2);
}

TEST(Cluster, AServerWithoutOneSaysSo) {
    const RedisServer server;
    SharedConfig config = Rig::of(server.url());
    config.cluster = true;
    Rig rig(config);
    EXPECT_TRUE(rig.goes_down("cluster support disabled"));
    EXPECT_EQ(rig.call("n").error().error, StoreError::down);
}

// A replica takes over: nobody says MOVED, since the one who could is dead.
TEST_F(ClusterTest, AFailoverIsFollowed) {
    RedisServer replica({"--cluster-enabled", "yes", "--cluster-node-timeout", "1000"});
    const std::string command =
        "redis-cli --cluster add-node 127.0.0.1:" + std::to_string(replica.port()) +
        " 127.0.0.1:" + std::to_string(three[0].port()) + " --cluster-slave --cluster-master-id " +
        three.id(1) + " >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0);
    Rig rig(three.config());
    std::string key;
    for (const std::string& one : keys) {
        rig.must(one);
        if (three.owner(one) == 1) {
            key = one;
        }
    }
    ASSERT_TRUE(eventually([&] {
        const std::string info = replica.command({"INFO", "replication"}).text;
        return info.find("master_link_status:up") != std::string::npos &&
               replica.command({"DBSIZE"}).integer > 0;
    }));
    three[1].kill();
    EXPECT_EQ(rig.must(key).integer, 2);
    EXPECT_TRUE(rig.goes_up());
}

}  // namespace
}  // namespace weir::shared::test
