// Names: of models, families, places and enumerators.
#include <weir/models.h>
#include <weir/types.h>

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "policy/geography.h"
#include "policy/outcome.h"
#include "policy/setting_row.h"

namespace weir {
namespace {

/// Every enumerator up to `last` has a name of its own.
template <class E>
void expect_names(E last) {
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(last); ++i) {
        const std::string_view name = to_string(static_cast<E>(i));
        EXPECT_TRUE(names.insert(name).second) << i << ": " << name;
    }
}

TEST(Names, EveryEnumeratorHasItsOwn) {
    expect_names(Family::cohere);
    expect_names(LimitKind::in_flight);
    expect_names(RefusalReason::no_target);
    expect_names(Priority::batch);
    expect_names(FailureClass::caller);
    EXPECT_EQ(to_string(LimitKind::in_flight), "in_flight");
    EXPECT_EQ(to_string(Family::nova), "nova");
}

TEST(Names, AnArnStandsForItsLastSegment) {
    EXPECT_EQ(strip_arn("arn:aws:bedrock:us-east-1:1:inference-profile/us.a.m-v1:0"),
              "us.a.m-v1:0");
    EXPECT_EQ(strip_arn("arn:aws:bedrock:us-east-1:1:x/"), "arn:aws:bedrock:us-east-1:1:x/");
    EXPECT_EQ(strip_arn("arn:aws:bedrock"), "arn:aws:bedrock");
    EXPECT_EQ(strip_arn("a/b"), "a/b");
}

TEST(Names, AModelsFactsAreThoseOfTheLongestPrefix) {
    ModelTable table;
    ModelFacts any;
    any.context = 1;
    ModelFacts claude = any;
    claude.context = 2;
    table.add("anthropic.claude", claude);
    EXPECT_EQ(table.facts("us.anthropic.claude-4").context, 2U);
    EXPECT_FALSE(table.facts("us.amazon.nova").known);
    EXPECT_EQ(table.facts("anthropic.other").family, Family::anthropic) << "by its name alone";
    table.add("", any);
    EXPECT_EQ(table.facts("amazon.nova").context, 1U) << "what is said of all models";
    EXPECT_EQ(table.facts("anthropic.claude-4").context, 2U);
    claude.context = 3;
    table.add("anthropic.claude", claude);
    EXPECT_EQ(table.facts("anthropic.claude-4").context, 3U) << "the later row stands";
}

TEST(Names, GeographiesAreKnownByListOrForm) {
    for (const std::string_view id :
         {"us.a.m", "us-gov.a.m", "global.a.m", "in.a.m", "eu-sov.a.m"}) {
        EXPECT_EQ(policy::geography_of(id), id.substr(0, id.find('.'))) << id;
    }
    for (const std::string_view id :
         {"a.m", "i1.a.m", "i{.a.m", "EU.a.m", "e1-sov.a.m", "eu-s{v.a.m", "anthropic.claude.x",
          "eusov.a.m", "m", "eu-toolong.a.m"}) {
        EXPECT_EQ(policy::geography_of(id), "") << id;
    }
}

TEST(Names, RegionsAndModelsWithinAResidency) {
    using policy::geography_within;
    using policy::region_within;
    EXPECT_TRUE(region_within("jp", "ap-northeast-1"));
    EXPECT_TRUE(region_within("jp", "ap-northeast-3"));
    EXPECT_FALSE(region_within("jp", "ap-northeast-2"));
    EXPECT_TRUE(region_within("au", "ap-southeast-2"));
    EXPECT_TRUE(region_within("au", "ap-southeast-4"));
    EXPECT_FALSE(region_within("au", "ap-southeast-1"));
    EXPECT_TRUE(region_within("eu", "eu-west-1"));
    EXPECT_FALSE(region_within("eu", "eusc-de-east-1"));
    EXPECT_FALSE(region_within("eu", "eu"));
    EXPECT_FALSE(region_within("us", "us-gov-west-1"));
    EXPECT_TRUE(geography_within("apac", "jp"));
    EXPECT_TRUE(geography_within("apac", "au"));
    EXPECT_FALSE(geography_within("jp", "apac"));
    EXPECT_FALSE(geography_within("eu", "global"));
    EXPECT_TRUE(geography_within("eu", ""));
}

TEST(Range, ItsEndsAreInOrOut) {
    const policy::Range closed{.least = 1, .most = 2};
    const policy::Range open{.least = 1, .most = 2, .least_excluded = true, .most_excluded = true};
    EXPECT_TRUE(closed.holds(1) && closed.holds(2));
    EXPECT_FALSE(closed.holds(0.9) || closed.holds(2.1));
    EXPECT_TRUE(open.holds(1.5));
    EXPECT_FALSE(open.holds(1) || open.holds(2));
}

}  // namespace
}  // namespace weir
