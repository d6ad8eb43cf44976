#include "policy/unfit.h"

#include <gtest/gtest.h>

namespace weir::policy {
namespace {

using namespace std::chrono_literals;

TEST(Misfit, EachErrorOfTheCallersClassHasOneMeaning) {
    struct Row {
        FailureClass cls;
        int status;
        const char* message;
        Misfit expected;
        bool lasts;
    };
    const Row rows[] = {
        {FailureClass::caller, 404, "This model version has reached the end of its life.",
         Misfit::model_gone, true},
        {FailureClass::caller, 403, "You don't have access to the model with the specified ID.",
         Misfit::no_access, true},
        {FailureClass::slow_model, 408, "Model timed out", Misfit::too_slow, false},
        {FailureClass::caller, 400,
         "Invocation of model ID anthropic.x with on-demand throughput isn't supported. Retry your "
         "request with the ID or ARN of an inference profile that contains this model.",
         Misfit::no_throughput, true},
        {FailureClass::caller, 400,
         "Invocation of model ID anthropic.x with on-demand throughput isn\u2019t supported.",
         Misfit::no_throughput, true},
        {FailureClass::caller, 400, "Malformed input request", Misfit::none, false},
        {FailureClass::caller, 413, "", Misfit::none, false},
        {FailureClass::caller, 405, "", Misfit::none, false},
        {FailureClass::caller, 422, "", Misfit::none, false},
        {FailureClass::credentials, 403, "", Misfit::none, false},
        {FailureClass::server, 500, "", Misfit::none, false},
        {FailureClass::quota_tokens, 429, "", Misfit::none, false},
    };
    for (const Row& row : rows) {
        Failure f;
        f.cls = row.cls;
        f.status = row.status;
        f.message = row.message;
        EXPECT_EQ(misfit(f), row.expected) << row.status << ' ' << row.message;
        EXPECT_EQ(lasts(misfit(f)), row.lasts) << row.status << ' ' << row.message;
    }
}

TEST(UnfitRecord, ClosesForAllWhenTwoClientsAgree) {
    UnfitRecord record;
    const Instant now = Instant{} + 1000s;
    EXPECT_FALSE(record.refused({1, 10}, now));
    EXPECT_FALSE(record.closed(now));
    EXPECT_TRUE(record.refused({2, 20}, now));
    EXPECT_TRUE(record.closed_for(30, now));
    EXPECT_TRUE(record.for_everybody());
    EXPECT_FALSE(record.closed_for(30, now + 5min));
}

TEST(UnfitRecord, OneClientClosesItForItselfAlone) {
    UnfitRecord record;
    const Instant now = Instant{} + 1000s;
    for (int i = 0; i < 10; ++i) {
        EXPECT_FALSE(record.refused({1, 10}, now)) << "one call, however often";
    }
    EXPECT_FALSE(record.refused({2, 10}, now));
    EXPECT_TRUE(record.refused({3, 10}, now));
    EXPECT_TRUE(record.closed_for(10, now));
    EXPECT_FALSE(record.closed_for(20, now));
}

TEST(UnfitRecord, ASuccessMeanwhileForgetsAndReopens) {
    UnfitRecord record;
    const Instant now = Instant{} + 1000s;
    record.refused({1, 10}, now);
    record.fits();
    EXPECT_FALSE(record.refused({2, 20}, now));
    EXPECT_TRUE(record.refused({3, 10}, now));
    record.fits();
    EXPECT_FALSE(record.closed(now));
}

TEST(UnfitRecord, ACallThatAnotherTargetRefusesTooDoesNotCount) {
    UnfitRecord record;
    const Instant now = Instant{} + 1000s;
    record.refused({1, 10}, now);
    record.take_back(1);
    EXPECT_FALSE(record.refused({2, 20}, now));
    EXPECT_TRUE(record.refused({3, 10}, now));
}

TEST(UnfitRecord, EachKindIsLoggedOnceAnHour) {
    UnfitRecord record;
    const Instant now = Instant{} + 1000s;
    EXPECT_TRUE(record.worth_a_line(Misfit::model_gone, now));
    EXPECT_FALSE(record.worth_a_line(Misfit::model_gone, now + 59min));
    EXPECT_TRUE(record.worth_a_line(Misfit::no_access, now));
    EXPECT_TRUE(record.worth_a_line(Misfit::model_gone, now + 61min));
}

TEST(UnfitRecord, ACauseIsOneLine) {
    Failure f;
    f.status = 404;
    f.error_type = "Resource\r\nNotFound";
    f.message = std::string(500, 'x') + "\n";
    const std::string text = describe(f);
    EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos);
    EXPECT_LT(text.size(), 250U);
}

TEST(UnfitRecord, WhatIsClosedIsNotClosedAgain) {
    UnfitRecord record;
    const Instant now = Instant{} + 1000s;
    for (std::uint64_t call = 1; call <= 3; ++call) {
        EXPECT_EQ(record.refused({call, 10}, now), call == 3);
    }
    EXPECT_FALSE(record.refused({4, 10}, now)) << "for that client it is";
    EXPECT_TRUE(record.refused({5, 20}, now)) << "another client agrees";
    EXPECT_TRUE(record.for_everybody());
    EXPECT_FALSE(record.refused({6, 30}, now));
}

TEST(UnfitRecord, DescriptionsAreOneCleanLine) {
    Failure failure;
    failure.status = 404;
    failure.error_type = "Resource\x7fNotFound";
    EXPECT_EQ(describe(failure), "404 Resource NotFound");
    failure.message = "a\nb";
    EXPECT_EQ(describe(failure), "404 Resource NotFound: a b");
}

}  // namespace
}  // namespace weir::policy
