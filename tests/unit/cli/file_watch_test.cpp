// What counts as a change of a file, told by looks alone.

#include "cli/file_watch.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace weir::cli {
namespace {

namespace fs = std::filesystem;

class FileStatesTest : public ::testing::Test {
public:
    FileStatesTest() {
        std::string name = (fs::temp_directory_path() / "weir-watch-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
    }
    ~FileStatesTest() override { fs::remove_all(folder_); }

protected:
    std::string path(const std::string& name) const { return (folder_ / name).string(); }
    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path(name)) << text;
        return path(name);
    }

private:
    fs::path folder_;
};

TEST_F(FileStatesTest, AChangeIsToldOnceAndWhenItHasSettled) {
    FileStates states;
    states.follow({write("a", "1"), write("b", "1")});
    EXPECT_FALSE(states.changed());
    write("a", "12");
    EXPECT_FALSE(states.changed());  // it may go on
    write("b", "12");
    EXPECT_FALSE(states.changed());  // it went on
    EXPECT_TRUE(states.changed());
    EXPECT_FALSE(states.changed());
}

TEST_F(FileStatesTest, AFileThatComesGoesOrIsReplacedHasChanged) {
    FileStates states;
    const auto late = path("late");
    states.follow({write("a", "1"), late});
    const auto settle = [&] { return !states.changed() && states.changed(); };
    write("late", "1");
    EXPECT_TRUE(settle());
    fs::remove(late);
    EXPECT_TRUE(settle());
    fs::rename(write("new", "2"), path("a"));  // the same size
    EXPECT_TRUE(settle());
}

TEST_F(FileStatesTest, ASymbolicLinkIsWhatItLeadsTo) {
    fs::create_symlink(write("one", "1"), path("link"));
    FileStates states;
    states.follow({path("link")});
    fs::create_symlink(write("two", "2"), path("next"));
    fs::rename(path("next"), path("link"));
    EXPECT_FALSE(states.changed());
    EXPECT_TRUE(states.changed());
}

TEST_F(FileStatesTest, FollowingOthersForgetsNoChangeOfThoseThatStay) {
    FileStates states;
    states.follow({write("a", "1")});
    write("a", "12");
    states.follow({path("a"), write("b", "1")});  // after it was read, for instance
    EXPECT_FALSE(states.changed());
    EXPECT_TRUE(states.changed());
    states.follow({path("b")});
    write("a", "123");
    EXPECT_FALSE(states.changed());
    EXPECT_FALSE(states.changed());
}

}  // namespace
}  // namespace weir::cli
