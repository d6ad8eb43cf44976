// Packing: fields one after the other, numbers as they are in memory. It is read by the process
// that wrote it, so there is no version and no byte order.
#include "observe/life.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace weir::observe {
namespace {

constexpr std::size_t kLongestString = 200;
// More than all fields of a step, and of a life but for its steps, together: this runs on the path
// of every request, and writes without looking.
constexpr std::size_t kStepBytes = 2048;
constexpr std::size_t kLifeBytes = 3072;

/// Writes into room that is known to be enough.
class Packer {
public:
    explicit Packer(char* at) : at_(at) {}

    const char* end() const { return at_; }

    void text(std::string_view whole, std::size_t most = kLongestString) {
        const auto size = static_cast<std::uint16_t>(std::min(whole.size(), most));
        value(size);
        at_ = std::copy_n(whole.data(), size, at_);
    }
    template <class T>
    void operator()(const T& field) {
        if constexpr (std::is_same_v<T, std::string_view>) {
            text(field);
        } else {
            value(field);
        }
    }

private:
    template <class T>
    void value(const T& field) {
        static_assert(std::is_trivially_copyable_v<T>);
        std::memcpy(at_, &field, sizeof field);
        at_ += sizeof field;
    }
    char* at_;
};

/// Appends what `write` writes with a Packer, at most `most` bytes.
template <class Write>
void append(std::string& out, std::size_t most, Write write) {
    const std::size_t before = out.size();
    out.resize_and_overwrite(before + most, [&](char* text, std::size_t) {
        Packer to(text + before);
        write(to);
        return static_cast<std::size_t>(to.end() - text);
    });
}

class Unpacker {
public:
    explicit Unpacker(std::string_view from) : left_(from) {}

    bool good() const { return good_; }
    std::string_view left() const { return left_; }

    std::string_view text() {
        std::uint16_t size = 0;
        value(size);
        return bytes(size);
    }
    template <class T>
    void operator()(T& field) {
        if constexpr (std::is_same_v<T, std::string_view>) {
            field = text();
        } else {
            value(field);
        }
    }

private:
    std::string_view bytes(std::size_t size) {
        good_ = good_ && size <= left_.size();
        if (!good_) {
            return {};
        }
        const auto taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }
    template <class T>
    void value(T& field) {
        static_assert(std::is_trivially_copyable_v<T>);
        const auto raw = bytes(sizeof field);
        if (good_) {
            std::memcpy(&field, raw.data(), sizeof field);
        }
    }
    std::string_view left_;
    bool good_ = true;
};

/// One list of each struct's fields, for both directions.
template <class V, class S>
void fields(V& v, S& s)
    requires std::is_same_v<std::remove_const_t<S>, WaitStep>
{
    v(s.from), v(s.to), v(s.cause), v(s.region), v(s.model);
    v(s.limit_kind), v(s.limit), v(s.used), v(s.cost);
    v(s.calls_before), v(s.tokens_before), v(s.held_before), v(s.turn), v(s.targets);
}

template <class V, class S>
void fields(V& v, S& s)
    requires std::is_same_v<std::remove_const_t<S>, AttemptStep>
{
    v(s.number), v(s.from), v(s.sent), v(s.head), v(s.to);
    v(s.account), v(s.region), v(s.model), v(s.endpoint), v(s.tier);
    v(s.why), v(s.reservation), v(s.right_sized), v(s.result), v(s.status), v(s.error);
    v(s.quota_tokens);
}

template <class V, class S>
void fields(V& v, S& s)
    requires std::is_same_v<std::remove_const_t<S>, RefusalStep>
{
    v(s.at), v(s.reason), v(s.region), v(s.model);
    v(s.limit_kind), v(s.limit), v(s.used), v(s.cost), v(s.retry_after), v(s.repeated);
}

template <class V, class S>
void fields(V& v, S& s)
    requires std::is_same_v<std::remove_const_t<S>, Life>
{
    v(s.unix_ms), v(s.ended), v(s.so_far), v(s.first_content);
    v(s.id), v(s.upstream_id), v(s.sdk_invocation);
    v(s.client), v(s.operation), v(s.model), v(s.tag), v(s.home_region);
    v(s.outcome), v(s.reason), v(s.error);
    v(s.priority), v(s.stream), v(s.limited), v(s.sdk_attempt), v(s.status);
    v(s.bytes), v(s.input_estimate), v(s.max_tokens), v(s.deadline), v(s.usage);
    v(s.cost_nanodollars), v(s.output_burndown), v(s.left_out);
}

enum class Kind : std::uint8_t { wait, attempt, refusal };

template <class S>
std::optional<Step> read(Unpacker& from) {
    S step;
    fields(from, step);
    return from.good() ? std::optional<Step>(step) : std::nullopt;
}

std::optional<Step> next_step(Unpacker& from) {
    Kind kind{};
    from(kind);
    switch (kind) {
        case Kind::wait:
            return read<WaitStep>(from);
        case Kind::attempt:
            return read<AttemptStep>(from);
        case Kind::refusal:
            return read<RefusalStep>(from);
    }
    return std::nullopt;
}

}  // namespace

void Trail::add(const Step& step) {
    const std::size_t before = packed_.size();
    append(packed_, kStepBytes, [&](Packer& to) {
        to(static_cast<Kind>(step.index()));
        std::visit([&](const auto& one) { fields(to, one); }, step);
    });
    if (packed_.size() > kMostBytes) {
        packed_.resize(before);
        ++left_out_;
    }
}

void pack(std::string& out, const Life& life) {
    append(out, kLifeBytes + life.steps.size(), [&](Packer& to) {
        fields(to, life);
        to.text(life.steps, Trail::kMostBytes);
    });
}

std::optional<Life> unpack(std::string_view packed) {
    Unpacker from(packed);
    Life life;
    fields(from, life);
    life.steps = from.text();
    return from.good() && from.left().empty() ? std::optional(life) : std::nullopt;
}

std::vector<Step> unpack_steps(std::string_view packed) {
    std::vector<Step> steps;
    Unpacker from(packed);
    while (!from.left().empty()) {
        const auto step = next_step(from);
        if (!step) {
            break;
        }
        steps.push_back(*step);
    }
    return steps;
}

}  // namespace weir::observe
