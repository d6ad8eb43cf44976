#include "gateway/memory_reserve.h"

#include "admission_world.h"

#include <gtest/gtest.h>

#include <new>

namespace weir::gateway {
namespace {

using namespace test;

/// As main sets it up, and as it was afterwards.
struct Reserve {
    explicit Reserve(std::size_t bytes) { keep_memory_reserve(bytes); }
    ~Reserve() {
        keep_memory_reserve(0);
        std::set_new_handler(nullptr);
    }
};

TEST(MemoryReserve, IsGivenBackOnceAndHadBackWhenThereIsRoom) {
    EXPECT_FALSE(memory_is_short()) << "none is kept";
    const Reserve reserve(1 << 20);
    EXPECT_FALSE(memory_is_short());
    const auto out_of_memory = std::get_new_handler();
    EXPECT_NO_THROW(out_of_memory());
    EXPECT_THROW(out_of_memory(), std::bad_alloc) << "it is spent";
    EXPECT_FALSE(memory_is_short()) << "there is room again";
    EXPECT_NO_THROW(out_of_memory());
}

TEST(MemoryReserve, NothingNewIsBegunWhileItCannotBeHadBack) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer's malloc ends the process";
#endif
    const Reserve reserve(~std::size_t{0} / 4);
    EXPECT_TRUE(memory_is_short());
    Asked asked(anybody(), converse_of("m.x"));
    const Admitted admitted = asked.admit();
    ASSERT_FALSE(admitted);
    EXPECT_EQ(admitted.error().status, 503);
    EXPECT_EQ(admitted.error().reason, "memory");
    EXPECT_TRUE(admitted.error().retry_after);
}

}  // namespace
}  // namespace weir::gateway
