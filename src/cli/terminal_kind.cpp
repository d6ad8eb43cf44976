#include "cli/terminal_kind.h"

#include <unistd.h>

#define NCURSES_NOMACROS
#include <ncurses.h>
#include <term.h>

namespace weir::cli {

bool can_place_text(const std::string& terminal) {
    int problem = 0;
    return !terminal.empty() && ::setupterm(terminal.c_str(), STDOUT_FILENO, &problem) == OK &&
           cursor_address != nullptr && clear_screen != nullptr;
}

}  // namespace weir::cli
