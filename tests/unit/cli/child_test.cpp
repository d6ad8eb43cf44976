#include "cli/child.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::cli {
namespace {

bool stays_open(int fd) {
    return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
}

TEST(Inherited, WhatTheProcessOpenedItselfIsNotTheCommands) {
    const pid_t child = ::fork();  // its signals and descriptors, not those of the tests
    if (child == 0) {
        const int before = ::open("/dev/null", O_RDONLY);
        const auto inherited = Inherited::take();
        const int after = ::open("/dev/null", O_RDONLY);  // as a library opens it, or std::ifstream
        if (before < 0 || after < 0) {
            ::_exit(2);
        }
        const int between = ::dup2(after, before + 20);
        inherited.restore();
        const bool right =
            stays_open(0) && stays_open(before) && !stays_open(after) && !stays_open(between);
        ::_exit(right ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace weir::cli
