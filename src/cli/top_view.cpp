#include "cli/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace weir::cli {
namespace {

constexpr std::size_t kLeastName = 12;
constexpr std::size_t kVerdict = 10;
constexpr std::size_t kMostReasons = 3;
constexpr std::size_t kState = 9;
constexpr std::size_t kFlying = 6;
constexpr std::size_t kRequests = 11;
constexpr std::size_t kShare = 6;

Style style_of(Health health) {
    switch (health) {
        case Health::healthy:
            return Style::good;
        case Health::degraded:
            return Style::warn;
        case Health::down:
            return Style::bad;
    }
    return Style::bad;
}

Style style_of_trouble(int trouble) {
    return trouble >= 100 ? Style::bad : trouble >= 50 ? Style::warn : Style::plain;
}

Style style_of_share(double share) {
    return share >= 0.98 ? Style::bad : share >= 0.8 ? Style::warn : Style::good;
}

std::size_t width_of(const Line& line) {
    std::size_t width = 0;
    for (const Span& span : line) {
        // Blocks of a bar are three bytes and one column each; all else is ASCII.
        for (const char c : span.text) {
            width += (static_cast<unsigned char>(c) & 0xC0U) != 0x80U ? 1 : 0;
        }
    }
    return width;
}

/// Text that ends at the screen's edge.
Line cut(Line line, std::size_t width) {
    std::size_t left = width;
    for (Span& span : line) {
        std::size_t columns = 0;
        std::size_t at = 0;
        while (at < span.text.size()) {
            std::size_t next = at + 1;
            while (next < span.text.size() &&
                   (static_cast<unsigned char>(span.text[next]) & 0xC0U) == 0x80U) {
                ++next;
            }
            if (columns == left) {
                break;
            }
            ++columns;
            at = next;
        }
        span.text.resize(at);
        left -= columns;
    }
    std::erase_if(line, [](const Span& span) { return span.text.empty(); });
    return line;
}

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) {
        all += text;
    }
    return all;
}

std::string short_percent(double share) {
    return share > 9.99 ? ">999%" : fmt::format("{:.0f}%", share * 100);
}

/// A bar as wide as `width`, filled by `share`.
void append_bar(Line& line, double share, std::size_t width, bool unicode) {
    const double part = std::clamp(share, 0.0, 1.0) * static_cast<double>(width);
    std::size_t full = static_cast<std::size_t>(std::llround(part));
    full = share > 0 && full == 0 && width > 0 ? 1 : full;
    line.push_back({repeated(unicode ? "\u2588" : "#", full), style_of_share(share)});
    line.push_back({repeated(unicode ? "\u2591" : ".", width - full), Style::dim});
}

const LimitView* tokens_of(const TargetView& target) {
    for (const char* kind : {"tokens", "input_tokens", "daily_tokens"}) {
        if (const LimitView* limit = target.limit(kind)) {
            return limit;
        }
    }
    return nullptr;
}

std::string short_limit(const LimitView* limit) {
    if (limit == nullptr) {
        return "-";
    }
    return short_figure(limit->used) + "/" + (limit->limit ? short_figure(*limit->limit) : "?");
}

/// What is left of the width after the other columns, shared between name and bar.
struct Columns {
    std::size_t name = kLeastName;
    std::size_t bar = 0;

    explicit Columns(std::size_t width) {
        constexpr std::size_t kOthers = kState + kFlying + kRequests + 12 + kShare + 5;
        const std::size_t left = width > kOthers ? width - kOthers : 0;
        bar = left > 40 ? std::min<std::size_t>(left / 4, 30) : 0;
        name = std::max(kLeastName, left - bar);
    }
};

Line target_head(const Columns& columns) {
    return {{fmt::format("{:<{}} {:<{}}{:>{}}{:>{}}  {:>12}{:>{}} {}", "TARGET", columns.name,
                         "STATE", kState, "CALLS", kFlying, "REQ/MIN", kRequests, "TOKENS/MIN",
                         "USED", kShare, repeated(" ", columns.bar)),
             Style::title}};
}

Line target_row(const TargetView& target, const Columns& columns, bool unicode) {
    const LimitView* tokens = tokens_of(target);
    const double share = tokens != nullptr ? tokens->share() : 0;
    const bool known = tokens != nullptr && tokens->limit.has_value();
    Line line;
    line.push_back(
        {fmt::format("{:<{}} ", short_name(clean(target.name()), columns.name), columns.name),
         Style::plain});
    line.push_back({fmt::format("{:<{}}", target.state, kState), style_of_trouble(target.trouble)});
    line.push_back({fmt::format("{:>{}}{:>{}}  {:>12}{:>{}} ", target.in_flight, kFlying,
                                short_limit(target.limit("requests")), kRequests,
                                short_limit(tokens), known ? short_percent(share) : "-", kShare),
                    Style::plain});
    append_bar(line, share, columns.bar, unicode);
    return line;
}

Line client_row(const ClientView& client, std::size_t width) {
    const std::size_t name = std::max<std::size_t>(kLeastName, width / 3);
    std::string limits;
    for (const LimitView& limit : client.limits) {
        limits += (limits.empty() ? "" : "  ") + limit.kind + " " + short_limit(&limit);
    }
    const std::string text = client.name.empty() ? "(none)" : client.name;
    return {{fmt::format("{:<{}} {:>8}  ", fitted(clean(text), name), name, client.waiting),
             client.waiting > 0 ? Style::warn : Style::plain},
            {limits, Style::plain}};
}

Line client_head(std::size_t width) {
    const std::size_t name = std::max<std::size_t>(kLeastName, width / 3);
    return {{fmt::format("{:<{}} {:>8}  LIMITS", "CLIENT", name, "WAITING"), Style::title}};
}

std::vector<const TargetView*> sorted(const GatewayView& view, TopSort sort) {
    std::vector<const TargetView*> targets;
    targets.reserve(view.targets.size());
    for (const TargetView& target : view.targets) {
        targets.push_back(&target);
    }
    // The view comes worst first.
    if (sort == TopSort::name) {
        std::ranges::sort(targets, {}, &TargetView::name);
    } else if (sort == TopSort::in_flight) {
        std::ranges::sort(targets, [](const TargetView* a, const TargetView* b) {
            return a->in_flight != b->in_flight ? a->in_flight > b->in_flight : a < b;
        });
    }
    return targets;
}

std::string_view to_string(TopSort sort) {
    switch (sort) {
        case TopSort::trouble:
            return "trouble";
        case TopSort::name:
            return "name";
        case TopSort::in_flight:
            return "calls";
    }
    return "trouble";
}

Line first_line(const TopNews& news) {
    if (news.view == nullptr) {
        return {{"weir top  ", Style::bold}, {clean(news.url), Style::plain}};
    }
    const GatewayView& view = *news.view;
    Line line{{"weir " + clean(view.version) + "  ", Style::bold},
              {fmt::format("{} calls in flight  ", view.in_flight), Style::plain},
              {fmt::format("{} waiting", view.waiting_calls),
               view.waiting_calls > 0 ? Style::warn : Style::plain},
              {fmt::format(" ({}B)", short_figure(view.waiting_bytes)), Style::dim}};
    if (!view.store.mode.empty()) {
        line.push_back(
            {fmt::format("  store {}, {} instances", view.store.mode, view.store.instances),
             view.store.mode == "alone" ? Style::warn : Style::plain});
    }
    line.push_back({"  " + news.clock, Style::dim});
    return line;
}

/// The verdict and why.
std::vector<Line> verdict(const TopNews& news, std::size_t width) {
    if (!news.error.empty()) {
        return {{{"DOWN  ", Style::bad}, {clean(news.error), Style::plain}}};
    }
    if (news.view == nullptr) {
        return {{{"asking ...", Style::dim}}};
    }
    const GatewayView& view = *news.view;
    std::string word(to_string(view.health));
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return std::toupper(c); });
    std::vector<Line> lines;
    for (std::size_t i = 0; i < std::min(view.reasons.size(), kMostReasons); ++i) {
        const bool last = i + 1 == kMostReasons && view.reasons.size() > kMostReasons;
        const std::string more =
            last ? fmt::format(" (and {} more)", view.reasons.size() - kMostReasons) : "";
        const Reason& reason = view.reasons[i];
        std::string text = clean(reason.text) + more;
        if (!reason.target.empty()) {
            const std::size_t taken = kVerdict + 2 + text.size();
            text.insert(0, short_name(clean(reason.target),
                                      std::max(kLeastName, width - std::min(width, taken))) +
                               ": ");
        }
        lines.push_back(
            {{fmt::format("{:<{}}", i == 0 ? word : "", kVerdict), style_of(view.health)},
             {std::move(text), Style::plain}});
    }
    if (lines.empty()) {
        lines.push_back({{word, style_of(view.health)}});
    }
    return lines;
}

/// The first line, the verdict, an empty line, the table's head; at the end the keys.
std::size_t frame_height(const GatewayView& view) {
    return 4 + std::max<std::size_t>(1, std::min(view.reasons.size(), kMostReasons));
}

Line keys(const TopState& state, std::size_t above, std::size_t below) {
    Line line{{"q", Style::bold},
              {" quit  ", Style::plain},
              {"s", Style::bold},
              {" sort: " + std::string(to_string(state.sort)) + "  ", Style::plain},
              {"Tab", Style::bold},
              {state.page == TopPage::targets ? " clients  " : " targets  ", Style::plain},
              {"Up Down PgUp PgDn", Style::bold}};
    if (above + below > 0) {
        line.push_back({fmt::format("  {} above, {} below", above, below), Style::dim});
    }
    return line;
}

std::size_t digits_at_the_end(std::string_view text) {
    std::size_t count = 0;
    while (count < text.size() && text[text.size() - 1 - count] >= '0' &&
           text[text.size() - 1 - count] <= '9') {
        ++count;
    }
    return count;
}

/// Takes "-20250929-v1:0" or "-v1:0" off: it tells less of a model than what is before it.
std::string_view without_version(std::string_view name) {
    std::string_view left = name;
    for (const std::string_view before : {":", "-v"}) {
        const std::size_t digits = digits_at_the_end(left);
        left.remove_suffix(digits);
        if (digits == 0 || !left.ends_with(before)) {
            return name;
        }
        left.remove_suffix(before.size());
    }
    constexpr std::size_t kDate = 8;
    if (digits_at_the_end(left) == kDate && left.size() > kDate &&
        left[left.size() - kDate - 1] == '-') {
        left.remove_suffix(kDate + 1);
    }
    return left;
}

}  // namespace

std::string clean(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xC0U) != 0x80U) {  // the rest of a character stands for nothing more
            out += byte >= 0x20 && byte < 0x7F ? c : '?';
        }
    }
    return out;
}

std::string fitted(std::string_view text, std::size_t width) {
    if (text.size() <= width) {
        return std::string(text);
    }
    if (width <= 2) {
        return std::string(text.substr(0, width));
    }
    const std::size_t tail = (width - 2) / 2;
    const std::size_t front = width - 2 - tail;
    return std::string(text.substr(0, front)) + ".." + std::string(text.substr(text.size() - tail));
}

std::string short_name(std::string_view name, std::size_t width) {
    if (name.size() <= width) {
        return std::string(name);
    }
    std::string plain;
    while (!name.empty()) {
        const std::size_t end = std::min(name.find(' '), name.size());
        plain += without_version(name.substr(0, end));
        name.remove_prefix(end);
        if (!name.empty()) {
            plain += ' ';
            name.remove_prefix(1);
        }
    }
    return fitted(plain, width);
}

std::string short_figure(std::uint64_t value) {
    constexpr std::array<const char*, 5> kUnits{"", "k", "M", "G", "T"};
    auto number = static_cast<double>(value);
    std::size_t unit = 0;
    while (number >= 999.95 && unit + 1 < kUnits.size()) {
        number /= 1000;
        ++unit;
    }
    return unit == 0 ? std::to_string(value) : fmt::format("{:.1f}{}", number, kUnits.at(unit));
}

std::size_t rows_of(const GatewayView& view, const TopState& state) {
    return state.page == TopPage::targets ? view.targets.size() : view.clients.size();
}

std::size_t room_for_rows(const GatewayView& view, ScreenSize size) {
    const std::size_t frame = frame_height(view);
    return size.height > frame ? size.height - frame : 0;
}

TopState pressed(TopState state, TopKey key, std::size_t rows, std::size_t room) {
    const std::size_t last = rows > room ? rows - room : 0;
    switch (key) {
        case TopKey::quit:
            state.quit = true;
            break;
        case TopKey::sort:
            state.sort = state.sort == TopSort::trouble ? TopSort::name
                         : state.sort == TopSort::name  ? TopSort::in_flight
                                                        : TopSort::trouble;
            state.scroll = 0;
            break;
        case TopKey::page:
            state.page = state.page == TopPage::targets ? TopPage::clients : TopPage::targets;
            state.scroll = 0;
            break;
        case TopKey::up:
            state.scroll -= state.scroll > 0 ? 1 : 0;
            break;
        case TopKey::down:
            ++state.scroll;
            break;
        case TopKey::page_up:
            state.scroll -= std::min(state.scroll, room);
            break;
        case TopKey::page_down:
            state.scroll += room;
            break;
        case TopKey::home:
            state.scroll = 0;
            break;
        case TopKey::other:
            break;
    }
    state.scroll = std::min(state.scroll, last);
    return state;
}

std::vector<Line> top_lines(const TopNews& news, const TopState& state, ScreenSize size,
                            bool unicode) {
    std::vector<Line> lines{first_line(news)};
    for (Line& line : verdict(news, size.width)) {
        lines.push_back(std::move(line));
    }
    lines.emplace_back();
    std::size_t above = 0;
    std::size_t below = 0;
    if (news.view != nullptr) {
        const GatewayView& view = *news.view;
        const Columns columns(size.width);
        const bool targets = state.page == TopPage::targets;
        lines.push_back(targets ? target_head(columns) : client_head(size.width));
        const std::size_t room =
            size.height > lines.size() + 1 ? size.height - lines.size() - 1 : 0;
        const std::size_t rows = rows_of(view, state);
        above = std::min(state.scroll, rows > room ? rows - room : 0);
        below = rows - above > room ? rows - above - room : 0;
        const auto order = sorted(view, state.sort);
        for (std::size_t i = above; i < rows - below; ++i) {
            lines.push_back(targets ? target_row(*order[i], columns, unicode)
                                    : client_row(view.clients[i], size.width));
        }
        if (rows == 0 && room > 0) {
            lines.push_back(
                {{targets ? "No target is in use yet." : "No client is known yet.", Style::dim}});
        }
    }
    const std::size_t most = size.height > 0 ? size.height - 1 : 0;
    lines.resize(most);
    if (size.height > 0) {
        lines.push_back(keys(state, above, below));
    }
    for (Line& line : lines) {
        line = width_of(line) > size.width ? cut(std::move(line), size.width) : std::move(line);
    }
    return lines;
}

}  // namespace weir::cli
