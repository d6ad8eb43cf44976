#include "plan/lines.h"

#include <cstring>

namespace weir::plan {

Result<bool> Lines::next(std::string_view& line) {
    std::size_t searched = begin_;
    for (;;) {
        const char* found =
            static_cast<const char*>(std::memchr(buffer_.data() + searched, '\n', end_ - searched));
        if (found == nullptr && !over_) {
            searched = end_ - begin_;
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
            if (end_ == buffer_.size()) {
                if (end_ >= kLongest) {
                    ++number_;
                    return failure("this line is longer than 1 MiB");
                }
                buffer_.resize(buffer_.size() * 2);
            }
            input_.read(buffer_.data() + end_, static_cast<std::streamsize>(buffer_.size() - end_));
            end_ += static_cast<std::size_t>(input_.gcount());
            over_ = !input_;
            continue;
        }
        if (found == nullptr && begin_ == end_) {
            return false;
        }
        const std::size_t stop =
            found != nullptr ? static_cast<std::size_t>(found - buffer_.data()) : end_;
        line = std::string_view(buffer_.data() + begin_, stop - begin_);
        begin_ = found != nullptr ? stop + 1 : end_;
        torn_ = found == nullptr;
        if (++number_ == 1 && line.starts_with("\xEF\xBB\xBF")) {
            line.remove_prefix(3);
        }
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        return true;
    }
}

}  // namespace weir::plan
