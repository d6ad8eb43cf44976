#include "plan/trace.h"

#include "plan/lines.h"
#include "plan/row.h"

#include <algorithm>
#include <utility>

namespace weir::plan {
namespace {

constexpr std::size_t kMostNames = 2'000;
constexpr std::size_t kLongestName = 256;

}  // namespace

std::string shown(std::string_view text) {
    std::string safe = "\"";
    for (const char c : text.substr(0, 60)) {
        safe += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    }
    return safe + (text.size() > 60 ? "...\"" : "\"");
}

Names::Names() : names_{"", "other"} {
    numbers_ = {{"", kNone}, {"other", kOther}};
}

std::uint32_t Names::number(std::string_view name) {
    name = name.substr(0, kLongestName);
    const auto known = numbers_.find(name);
    if (known != numbers_.end()) {
        return known->second;
    }
    if (names_.size() >= kMostNames) {
        return kOther;
    }
    const auto number = static_cast<std::uint32_t>(names_.size());
    names_.emplace_back(name);
    numbers_.emplace(name, number);
    return number;
}

/// Rows wait in a heap until nothing that arrived before them can still come.
class TraceReader::Impl {
public:
    Impl(std::unique_ptr<std::istream> input, TraceOptions options, Names& names)
        : input_(std::move(input)), lines_(*input_), options_(std::move(options)), names_(names) {}

    Result<bool> next(TraceCall& call) {
        while (!over_ && (waiting_.empty() || waiting_.front().arrival > latest_ - window_)) {
            if (auto read = read_row(); !read) {
                return std::unexpected(read.error());
            }
        }
        if (waiting_.empty()) {
            return false;
        }
        std::ranges::pop_heap(waiting_, Later{});
        const Waiting& first = waiting_.back();
        if (!start_) {
            start_ = first.arrival;
        }
        call = first.call;
        call.at = Duration(first.arrival - *start_);
        waiting_.pop_back();
        return true;
    }

    const TraceNotes& notes() const { return notes_; }

private:
    struct Waiting {
        std::int64_t arrival;
        std::uint64_t order;
        TraceCall call;
    };
    struct Later {
        bool operator()(const Waiting& a, const Waiting& b) const {
            return a.arrival != b.arrival ? a.arrival > b.arrival : a.order > b.order;
        }
    };

    std::unexpected<Error> complain(const std::string& what) const {
        return failure(options_.name + ":" + std::to_string(lines_.number()) + ": " + what);
    }

    /// A log that was cut or written to by two at once has a torn line here and there.
    Result<void> leave_out(const std::string& why) {
        constexpr std::size_t kShown = 3;
        ++notes_.bad;
        forgiven_ = forgiven_ || lines_.torn();
        if (notes_.first_bad.size() < kShown) {
            notes_.first_bad.push_back(complain(why).error().message);
        }
        constexpr std::uint64_t kSoon = 100;  // a file of another kind is refused without delay
        return notes_.bad >= kSoon && too_many_bad() ? refuse() : Result<void>();
    }

    bool too_many_bad() const {
        return (notes_.bad - (forgiven_ && read_ > 1 ? 1 : 0)) * 100 > read_;
    }

    Result<void> refuse() const {
        std::string text;
        for (const std::string& line : notes_.first_bad) {
            text += (text.empty() ? "" : "\n") + line;
        }
        if (notes_.bad > 1) {
            text += "\n" + options_.name + ": " + std::to_string(notes_.bad) + " of " +
                    std::to_string(read_) +
                    " lines cannot be read; allowed is one in a hundred, which is then left out";
        }
        return failure(text);
    }

    Result<void> read_row() {
        std::string_view line;
        const auto more = lines_.next(line);
        if (!more) {
            return complain(more.error().message);
        }
        if (!*more) {
            over_ = true;
            if (!reader_) {
                return failure(options_.name +
                               ": is empty; a trace begins with a CSV header or a "
                               "line of weir's access log");
            }
            return too_many_bad() ? refuse() : Result<void>();
        }
        if (line.find_first_not_of(" \t") == std::string_view::npos) {
            return {};
        }
        if (!reader_) {
            notes_.access_log = line.starts_with('{');
            window_ =
                options_.sort_window.value_or(std::chrono::minutes(notes_.access_log ? 15 : 1))
                    .count();
            if (!notes_.access_log) {
                auto reader = csv_reader(line, names_);
                if (!reader) {
                    return complain(reader.error().message);
                }
                reader_ = std::move(*reader);
                return {};
            }
            reader_ = access_log_reader(names_);
        }
        Row row;
        const auto fate = reader_->read(line, row);
        ++read_;
        if (!fate) {
            return leave_out(fate.error().message);
        }
        latest_ = std::max(latest_, row.written);
        if (*fate == Fate::skipped) {
            ++notes_.skipped;
            return {};
        }
        if (row.arrival < latest_ - window_) {
            const double late = static_cast<double>(latest_ - row.arrival) / 1e9;
            return complain("its call arrived " + std::to_string(static_cast<std::int64_t>(late)) +
                            " s before the newest line above it; allowed are " +
                            std::to_string(window_ / 1'000'000'000) +
                            " s (--sort-window makes it more)");
        }
        ++notes_.rows;
        waiting_.push_back({row.arrival, order_++, row.call});
        std::ranges::push_heap(waiting_, Later{});
        return {};
    }

    std::unique_ptr<std::istream> input_;
    Lines lines_;
    TraceOptions options_;
    Names& names_;
    std::unique_ptr<RowReader> reader_;
    std::vector<Waiting> waiting_;
    std::int64_t window_ = 0;
    // Far enough from the end of the range that a window can be taken from it.
    std::int64_t latest_ = std::numeric_limits<std::int64_t>::min() / 2;
    std::optional<std::int64_t> start_;
    std::uint64_t order_ = 0;
    std::uint64_t read_ = 0;  // lines that should have been calls
    bool over_ = false;
    bool forgiven_ = false;  // the last line was torn off
    TraceNotes notes_;
};

TraceReader::TraceReader(std::unique_ptr<std::istream> input, TraceOptions options, Names& names)
    : impl_(std::make_unique<Impl>(std::move(input), std::move(options), names)) {}
TraceReader::~TraceReader() = default;
TraceReader::TraceReader(TraceReader&&) noexcept = default;
TraceReader& TraceReader::operator=(TraceReader&&) noexcept = default;

Result<bool> TraceReader::next(TraceCall& call) {
    return impl_->next(call);
}

const TraceNotes& TraceReader::notes() const {
    return impl_->notes();
}

}  // namespace weir::plan
