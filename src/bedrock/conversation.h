// Where an earlier request of the same conversation may have ended: hashes of its beginnings.
#pragma once

#include <weir/input_counts.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace weir::bedrock {

/// A running 64-bit hash that a caller without the seed cannot make collide: a product of two
/// numbers that are mixed with secrets, folded to half.
class TextHash {
public:
    explicit TextHash(std::uint64_t seed) : secret_(fold(seed, kFirst)), state_(secret_) {}

    void add(std::uint64_t value) { state_ = fold(state_ ^ value, secret_ ^ kSecond); }

    void add(std::string_view text) {
        add(text.size());
        // A product has to wait for the one before it: long texts go in two chains side by side.
        std::uint64_t second = state_ ^ kFirst;
        for (; text.size() > 32; text.remove_prefix(32)) {
            add(word(text), word(text.substr(8)));
            second =
                fold(second ^ word(text.substr(16)), secret_ ^ kFirst ^ word(text.substr(24))) +
                kSecond;
        }
        add(second);
        if (text.size() > 16) {
            add(word(text), word(text.substr(8)));
            text.remove_prefix(16);
        }
        std::array<char, 16> last{};
        std::memcpy(last.data(), text.data(), text.size());
        const std::string_view rest(last.data(), last.size());
        add(word(rest), word(rest.substr(8)));
    }

    std::uint64_t value() const { return fold(state_, secret_ ^ kThird); }

private:
    static constexpr std::uint64_t kFirst = 0x9e37'79b9'7f4a'7c15;
    static constexpr std::uint64_t kSecond = 0xbf58'476d'1ce4'e5b9;
    static constexpr std::uint64_t kThird = 0x94d0'49bb'1331'11eb;

    static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
        __extension__ using Wide = unsigned __int128;
        const Wide product = static_cast<Wide>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    static std::uint64_t word(std::string_view text) {
        std::uint64_t value;
        std::memcpy(&value, text.data(), sizeof value);
        return value;
    }
    void add(std::uint64_t a, std::uint64_t b) {
        state_ = fold(state_ ^ a, secret_ ^ kSecond ^ b) + kThird;
    }

    std::uint64_t secret_;
    std::uint64_t state_;
};

/// Follows one body. The beginning of a conversation is all that is outside its messages, in any
/// order, and its first messages in their order; the same beginning has the same hash in every
/// body. Keeps the last 16 beginnings, because a client adds one or two messages a turn.
class Conversation {
public:
    static constexpr std::size_t kMarks = 16;

    explicit Conversation(std::uint64_t seed) : seed_(seed), current_(seed), chain_(seed) {}

    /// What the model reads, in the order of the body; `text` as it is written there.
    void text(std::string_view text) {
        current_.add(text);
        some_ = true;
    }

    /// The end of a member that is not a message.
    void end_member() {
        if (some_) {
            outside_ += current_.value();
        }
        begin();
    }

    /// `counts`: of all messages so far.
    void end_message(const InputCounts& counts) {
        chain_.add(current_.value());
        marks_[messages_++ % kMarks] = InputMark{chain_.value(), counts};
        begin();
    }

    /// Earliest first, into `marks`; the last is the whole body. `outside`: counts of all that is
    /// not a message.
    void finish(const InputCounts& outside, std::vector<InputMark>& marks) const {
        marks.clear();
        const auto put = [&](std::uint64_t chain, const InputCounts& counts) {
            TextHash whole(seed_);
            whole.add(outside_);
            whole.add(chain);
            InputMark& mark = marks.emplace_back(InputMark{whole.value(), counts});
            add(mark.counts, outside);
        };
        if (messages_ == 0) {
            put(0, {});
        }
        for (std::size_t i = messages_ > kMarks ? messages_ - kMarks : 0; i < messages_; ++i) {
            put(marks_[i % kMarks].hash, marks_[i % kMarks].counts);
        }
    }

private:
    void begin() {
        current_ = TextHash(seed_);
        some_ = false;
    }

    std::uint64_t seed_;
    TextHash current_;
    TextHash chain_;
    std::uint64_t outside_ = 0;
    bool some_ = false;
    std::size_t messages_ = 0;
    std::array<InputMark, kMarks> marks_{};
};

}  // namespace weir::bedrock
