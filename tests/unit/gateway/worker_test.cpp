// What one worker keeps of Regions, and how often it complains of one.
#include "gateway/configured_names.h"
#include "requests.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace weir::gateway {
namespace {

using namespace test;

/// Directions and numbers make as many names of Regions as are needed, none of them AWS's.
std::string invented(int number) {
    const std::string_view directions[] = {"northwest", "southwest"};
    return "mx-" + std::string(directions[number / 9]) + "-" + std::to_string(number % 9 + 1);
}

class Caller : public CallUnderWay {
public:
    explicit Caller(std::string region = {}) : region_(std::move(region)) {}
    void deliver(const Decision& /*decision*/) override {}
    void drain_end() override { ++ends; }
    void refused_elsewhere(std::optional<PastRefusal> /*past*/) override {}
    void refreshed() override {}
    std::optional<std::string> tell(std::string_view /*id*/) const override { return {}; }
    bool may_use(const Region& region) const override { return region.name == region_; }
    int ends = 0;

private:
    std::string region_;
};

TEST(Worker, DeclaredRegionsAreTheOnlyOnes) {
    World world(two_regions());
    EXPECT_NE(world.worker->region("us-east-1"), nullptr);
    EXPECT_EQ(world.worker->region("eu-west-1"), nullptr);
}

TEST(Worker, WithoutDeclaredRegionsTheNamesThatCallersMayInventAreBounded) {
    World world{Config()};
    Worker& worker = *world.worker;
    EXPECT_EQ(worker.region("localhost"), nullptr);
    const Region* listed = worker.region("eu-west-1");
    ASSERT_NE(listed, nullptr);
    EXPECT_EQ(worker.region("eu-west-1"), listed);

    for (int i = 0; i < 16; ++i) {
        ASSERT_NE(worker.region(invented(i)), nullptr) << i;
    }
    const Region* second = worker.region(invented(1));
    ASSERT_NE(worker.region(invented(0)), nullptr);  // used later than all others
    EXPECT_EQ(world.regions.regions_held(), 17U);
    ASSERT_NE(worker.region(invented(16)), nullptr);
    EXPECT_EQ(world.regions.regions_held(), 17U) << "one goes for each that comes";
    EXPECT_EQ(worker.region("eu-west-1"), listed) << "AWS's own always have a place";
    EXPECT_EQ(worker.region(invented(1)), second) << "it was asked for later than another";
}

TEST(Worker, ARegionInUseMakesNoRoomForAnother) {
    World world{Config()};
    Worker& worker = *world.worker;
    std::vector<std::unique_ptr<Caller>> callers;
    std::vector<CallId> ids;
    for (int i = 0; i < 16; ++i) {
        ASSERT_NE(worker.region(invented(i)), nullptr);
        callers.push_back(std::make_unique<Caller>(invented(i)));
        ids.push_back(worker.calls.enter(*callers.back()));
    }
    EXPECT_EQ(worker.region(invented(16)), nullptr);
    EXPECT_NE(worker.region("eu-west-1"), nullptr);
    worker.leave(ids[5]);
    EXPECT_NE(worker.region(invented(16)), nullptr);
    Caller last(invented(16));
    worker.calls.enter(last);
    EXPECT_EQ(worker.region(invented(5)), nullptr) << "it has gone, and the others are in use";
    worker.end_all();
    EXPECT_EQ(callers[0]->ends, 1);
    EXPECT_EQ(callers[5]->ends, 0);
}

TEST(Worker, WhatIsNoEndpointIsNoRegion) {
    Config config;
    World world(config);
    const char* const before = std::getenv("HTTPS_PROXY");
    const std::string kept = before == nullptr ? "" : before;
    ::setenv("HTTPS_PROXY", "nonsense://", 1);
    const Region* region = world.worker->region("eu-west-1");
    before == nullptr ? ::unsetenv("HTTPS_PROXY") : ::setenv("HTTPS_PROXY", kept.c_str(), 1);
    EXPECT_EQ(region, nullptr);
}

TEST(Worker, AReloadLetsGoOfRegionsThatNoCallUses) {
    World world(two_regions());
    Worker& worker = *world.worker;
    Region* east = worker.region("us-east-1");
    Region* west = worker.region("us-west-2");
    net::Upstreams* kept = &worker.pool(*east, Service::runtime);
    static_cast<void>(worker.pool(*west, Service::runtime));
    Caller caller("us-west-2");
    const CallId id = worker.calls.enter(caller);

    Config config = two_regions();
    config.regions.erase("us-west-2");
    auto next = std::make_shared<Snapshot>(config);
    next->regions.emplace("us-east-1", world.snapshot->regions.at("us-east-1"));
    const std::weak_ptr<Region> gone = world.snapshot->regions.at("us-west-2");
    world.snapshot.reset();
    worker.take(next);
    EXPECT_EQ(worker.region("us-west-2"), nullptr);
    EXPECT_EQ(&worker.pool(*east, Service::runtime), kept);
    world.regions.forget_regions();
    EXPECT_FALSE(gone.expired()) << "a call that began before may hold it";
    worker.leave(id);
    worker.take(next);
    world.regions.forget_regions();
    EXPECT_TRUE(gone.expired());

    config.regions["us-east-1"].endpoint = "http://127.0.0.1:9";
    auto moved = std::make_shared<Snapshot>(config);
    moved->regions.emplace("us-east-1",
                           *world.regions.get("us-east-1", config.regions["us-east-1"], {}));
    const std::weak_ptr<Region> former = next->regions.at("us-east-1");
    next.reset();
    worker.take(moved);
    world.regions.forget_regions();
    EXPECT_TRUE(former.expired()) << "its name is another place's now";
}

TEST(Worker, UndeclaredRegionsStayOverAReloadOnlyWhileTheyAreUsed) {
    World world{Config()};
    ASSERT_NE(world.worker->region("eu-west-1"), nullptr);
    world.worker->take(world.snapshot);
    world.regions.forget_regions();
    EXPECT_EQ(world.regions.regions_held(), 0U);
    ASSERT_NE(world.worker->region("eu-west-1"), nullptr);
    EXPECT_EQ(world.regions.regions_held(), 1U);
}

TEST(Worker, WithoutAScriptConnectionsAreItsOwn) {
    World world(two_regions());
    world.shared.reach = nullptr;
    Region* east = world.worker->region("us-east-1");
    net::Upstreams& pool = world.worker->pool(*east, Service::runtime);
    EXPECT_EQ(pool.take_idle(), nullptr);
    EXPECT_NE(&pool, &world.worker->pool(*east, Service::control));
    world.worker->take(world.snapshot);
    EXPECT_EQ(&pool, &world.worker->pool(*east, Service::runtime)) << "renewed, not made anew";
}

TEST(Worker, AnOutageIsOneThingToSay) {
    World world(two_regions());
    const Region& east = *world.worker->region("us-east-1");
    world.worker->complain(east, "no route");
    world.worker->complain(east, "no route");
    EXPECT_EQ(world.log, "no route\n");
    Region stranger;
    world.worker->complain(stranger, "who?");
    world.shared.log = nullptr;
    world.worker->complain(east, "no route");
    EXPECT_EQ(world.log, "no route\n");
}

TEST(Calls, WordForACallThatHasEndedReachesNobody) {
    Calls calls(3);
    Caller first;
    Caller second;
    const CallId id = calls.enter(first);
    EXPECT_EQ(id.worker, 3U);
    EXPECT_EQ(calls.find(id), &first);
    calls.leave(id);
    EXPECT_EQ(calls.find(id), nullptr);
    const CallId next = calls.enter(second);
    EXPECT_EQ(next.slot, id.slot);
    EXPECT_EQ(calls.find(id), nullptr) << "its slot is another's";
    EXPECT_EQ(calls.find(CallId{3, 9, 1}), nullptr);
}

TEST(ConfiguredNames, LabelsAndTrustedFiles) {
    Config config;
    EXPECT_EQ(trusted_files(config), std::vector<std::string>{""}) << "any Region is AWS's";
    config.routes.resize(1);
    config.routes[0].model = "us.anthropic.m";
    config.routes[0].targets.resize(3);
    config.routes[0].targets[1].model = "other";
    config.routes[0].targets[2].endpoint = Endpoint::mantle;
    config.quotas = {quota_of("q", "us-east-1")};
    config.clients.resize(1);
    config.clients[0].name = "chat";
    EXPECT_EQ(model_labels(config),
              (std::vector<std::string>{"us.anthropic.m", "other", "anthropic.m", "q"}));
    EXPECT_EQ(client_labels(config), std::vector<std::string>{"chat"});
    config.regions["a"].endpoint = "http://localhost:1";
    EXPECT_TRUE(trusted_files(config).empty()) << "no TLS, no trust";
    config.regions["b"].endpoint = "https://vpce";
    config.regions["c"].ca = "own.pem";
    config.regions["d"];
    EXPECT_EQ(trusted_files(config), (std::vector<std::string>{"", "own.pem"}));
}

}  // namespace
}  // namespace weir::gateway
