#include "net/upload.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

TEST(Upload, TellsTheClientToGoOnOnce) {
    Upload upload;
    upload.begin(true);
    EXPECT_FALSE(upload.asked_for());
    EXPECT_TRUE(upload.ask());
    EXPECT_FALSE(upload.ask());
    EXPECT_TRUE(upload.asked_for());
}

TEST(Upload, AClientThatDoesNotWaitIsNotTold) {
    Upload upload;
    upload.begin(false);
    EXPECT_TRUE(upload.asked_for());
    EXPECT_FALSE(upload.ask());
}

TEST(Upload, TheFirstFailureIsFinalUntilTheNextBody) {
    Upload upload;
    upload.begin(false);
    EXPECT_FALSE(upload.failed());
    upload.fail(NetError::timeout);
    upload.fail(NetError::closed);
    EXPECT_TRUE(upload.failed());
    EXPECT_EQ(upload.why(), NetError::timeout);
    upload.begin(false);
    EXPECT_FALSE(upload.failed());
}

}  // namespace
}  // namespace weir::net::test
