// The terminal of `weir top`, by ncurses.
#pragma once

#include "cli/config_file.h"
#include "cli/top_view.h"

#include <weir/result.h>

#include <memory>
#include <string>
#include <vector>

struct screen;  // of ncurses

namespace weir::cli {

/// The terminal is as it was before when this is gone, however that comes: at the end, by an
/// exception, or after one of the signals that end a program (see stopped_by()).
class TopScreen {
public:
    /// An error: standard input or output is no terminal, or one that cannot do this.
    static Result<std::unique_ptr<TopScreen>> open(const Getenv& getenv);
    ~TopScreen();
    TopScreen(const TopScreen&) = delete;
    TopScreen& operator=(const TopScreen&) = delete;

    ScreenSize size() const;
    bool unicode() const { return unicode_; }
    void draw(const std::vector<Line>& lines);
    /// The next key; `other` if none comes within 100 ms, or the screen has another size.
    TopKey key();
    /// The terminal is gone.
    bool gone() const { return gone_; }
    /// The signal that asks for an end; 0: none has.
    static int stopped_by();

private:
    TopScreen(screen* screen, bool unicode, bool colour);
    void style(Style style);

    screen* screen_;
    bool unicode_;
    bool colour_;
    bool gone_ = false;
};

}  // namespace weir::cli
