#include "net/readiness.h"

#include <gtest/gtest.h>

namespace weir::net::test {
namespace {

TEST(Readiness, AReaderGoesOnWithBytesAWriterWithRoom) {
    Readiness socket;
    Readiness::Resume resume = socket.report(EPOLLIN);
    EXPECT_TRUE(resume.reader);
    EXPECT_FALSE(resume.writer) << "it waits for nothing";
    resume = socket.report(EPOLLOUT);
    EXPECT_FALSE(resume.reader);
    EXPECT_FALSE(resume.writer);
    socket.await_room();
    EXPECT_FALSE(socket.report(EPOLLIN).writer);
    EXPECT_TRUE(socket.report(EPOLLOUT).writer);
    EXPECT_FALSE(socket.report(EPOLLOUT).writer) << "once";
}

TEST(Readiness, AWriterThatNeedsBytesGoesOnWithThem) {
    Readiness socket;
    socket.await_bytes();
    EXPECT_FALSE(socket.report(EPOLLOUT).writer);
    const Readiness::Resume resume = socket.report(EPOLLIN);
    EXPECT_TRUE(resume.writer);
    EXPECT_TRUE(resume.reader);
    // A read may take the bytes before they are reported.
    socket.await_bytes();
    EXPECT_TRUE(socket.resumes_writer());
    EXPECT_FALSE(socket.resumes_writer());
    EXPECT_FALSE(socket.report(EPOLLIN).writer);
}

TEST(Readiness, AReaderThatNeedsRoomGoesOnWithItAlone) {
    Readiness socket;
    socket.read_needs_room(true);
    EXPECT_FALSE(socket.report(EPOLLIN).reader);
    EXPECT_TRUE(socket.read_needs_room());
    EXPECT_TRUE(socket.report(EPOLLOUT).reader);
    EXPECT_FALSE(socket.read_needs_room());
    EXPECT_TRUE(socket.report(EPOLLIN).reader);
}

TEST(Readiness, AnEmptiedSocketIsDryUntilTheNextBytes) {
    Readiness socket;
    EXPECT_FALSE(socket.dry()) << "nobody has looked";
    socket.received(false);
    EXPECT_FALSE(socket.dry()) << "there may be more";
    socket.received(true);
    EXPECT_TRUE(socket.dry());
    socket.report(EPOLLOUT);
    EXPECT_TRUE(socket.dry());
    socket.report(EPOLLIN);
    EXPECT_FALSE(socket.dry());
    EXPECT_TRUE(socket.news());
    socket.found_nothing(true);
    EXPECT_TRUE(socket.dry());
    EXPECT_FALSE(socket.news());
    socket.not_dry();
    EXPECT_FALSE(socket.dry());
}

TEST(Readiness, AnEndIsReportedOnceSoTheSocketIsNotDryAfterIt) {
    for (const std::uint32_t end : {EPOLLRDHUP, EPOLLHUP, EPOLLERR}) {
        Readiness socket;
        EXPECT_TRUE(socket.report(end).reader);
        socket.received(true);  // the last bytes; the end of file is still to be read
        EXPECT_FALSE(socket.dry());
    }
}

TEST(Readiness, ABrokenConnectionResumesBoth) {
    Readiness socket;
    socket.await_room();
    const Readiness::Resume resume = socket.report(EPOLLHUP | EPOLLERR);
    EXPECT_TRUE(resume.reader);
    EXPECT_TRUE(resume.writer);
}

}  // namespace
}  // namespace weir::net::test
