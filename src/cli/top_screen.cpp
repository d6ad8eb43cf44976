#include "cli/top_screen.h"

#include "cli/terminal_kind.h"

#include <langinfo.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <string_view>

#define NCURSES_NOMACROS
#include <ncurses.h>

namespace weir::cli {
namespace {

constexpr int kWaitMs = 100;
constexpr int kEscapeMs = 25;  // a key's later bytes come within this
constexpr int kTab = '\t';

std::atomic<int> signalled{0};

void on_signal(int number) {
    signalled = number;
}

/// Without SA_RESTART: what waits is told.
void hear_signals() {
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
        sigaction(number, &action, nullptr);
    }
    std::signal(SIGPIPE, SIG_IGN);
}

enum Pair : short { kGood = 1, kWarn, kBad };

Error unfit(std::string_view terminal) {
    return Error("the terminal `" + std::string(terminal.substr(0, 60)) +
                 "` cannot place text on its screen, or is not described here (TERM); "
                 "weir status --watch needs no such terminal");
}

}  // namespace

Result<std::unique_ptr<TopScreen>> TopScreen::open(const Getenv& getenv) {
    if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) {
        return failure("this needs a terminal; weir status is for scripts");
    }
    const std::string terminal = getenv("TERM").value_or("");
    if (!can_place_text(terminal)) {
        return std::unexpected(unfit(terminal));
    }
    std::setlocale(LC_CTYPE, "");
    const bool unicode = std::string_view(nl_langinfo(CODESET)) == "UTF-8";
    hear_signals();
    SCREEN* const screen = ::newterm(terminal.c_str(), stdout, stdin);
    if (screen == nullptr) {
        return std::unexpected(unfit(terminal));
    }
    const bool colour = ::has_colors() && getenv("NO_COLOR").value_or("").empty();
    return std::unique_ptr<TopScreen>(new TopScreen(screen, unicode, colour));
}

TopScreen::TopScreen(SCREEN* screen, bool unicode, bool colour)
    : screen_(screen), unicode_(unicode), colour_(colour) {
    ::set_escdelay(kEscapeMs);
    ::cbreak();
    ::noecho();
    ::nonl();
    ::keypad(stdscr, true);
    ::nodelay(stdscr, true);
    ::curs_set(0);
    if (colour_) {
        ::start_color();
        ::use_default_colors();
        ::init_pair(kGood, COLOR_GREEN, -1);
        ::init_pair(kWarn, COLOR_YELLOW, -1);
        ::init_pair(kBad, COLOR_RED, -1);
    }
}

TopScreen::~TopScreen() {
    ::endwin();
    ::delscreen(screen_);
}

ScreenSize TopScreen::size() const {
    const int width = ::getmaxx(stdscr);
    const int height = ::getmaxy(stdscr);
    return {static_cast<std::size_t>(width > 0 ? width : 0),
            static_cast<std::size_t>(height > 0 ? height : 0)};
}

/// Where there is no colour, what is bad is bold and reversed, what is doubtful bold.
void TopScreen::style(Style style) {
    ::attrset(A_NORMAL);
    switch (style) {
        case Style::plain:
            break;
        case Style::dim:
            ::attron(A_DIM);
            break;
        case Style::bold:
            ::attron(A_BOLD);
            break;
        case Style::title:
            ::attron(A_BOLD | A_UNDERLINE);
            break;
        case Style::good:
            ::attron(colour_ ? COLOR_PAIR(kGood) : A_NORMAL);
            break;
        case Style::warn:
            ::attron(colour_ ? COLOR_PAIR(kWarn) : A_BOLD);
            break;
        case Style::bad:
            ::attron(colour_ ? COLOR_PAIR(kBad) | A_BOLD : A_BOLD | A_REVERSE);
            break;
    }
}

void TopScreen::draw(const std::vector<Line>& lines) {
    ::erase();
    int row = 0;
    for (const Line& line : lines) {
        ::move(row++, 0);
        for (const Span& span : line) {
            style(span.style);
            ::addnstr(span.text.data(), static_cast<int>(span.text.size()));
        }
    }
    ::refresh();
}

TopKey TopScreen::key() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    const int ready = ::poll(&input, 1, kWaitMs);
    gone_ = gone_ || (ready > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0);
    switch (::getch()) {
        case 'q':
        case 'Q':
            return TopKey::quit;
        case 's':
            return TopKey::sort;
        case kTab:
        case 'c':
            return TopKey::page;
        case KEY_UP:
        case 'k':
            return TopKey::up;
        case KEY_DOWN:
        case 'j':
            return TopKey::down;
        case KEY_PPAGE:
            return TopKey::page_up;
        case KEY_NPAGE:
        case ' ':
            return TopKey::page_down;
        case KEY_HOME:
        case 'g':
            return TopKey::home;
        default:
            return TopKey::other;
    }
}

int TopScreen::stopped_by() {
    return signalled;
}

}  // namespace weir::cli
