#include "cli/terminal_kind.h"

#include <unistd.h>

#define NCURSES_NOMACROS
#include <ncurses.h>
#include <term.h>

namespace weir::cli {

bool can_place_text(const std::string& terminal) {
    int problem = 0;
    if (terminal.empty() || ::setupterm(terminal.c_str(), STDOUT_FILENO, &problem) != OK) {
        return false;
    }
    const bool can = cursor_address != nullptr && clear_screen != nullptr;
    ::del_curterm(::set_curterm(nullptr));
    return can;
}

}  // namespace weir::cli
