// The maximum of output tokens in one body.
#pragma once

#include "bedrock/max_output.h"
#include "bedrock/request.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::bedrock {

/// Receives each relevant member, in the order of the body.
class OutputMaximum {
public:
    explicit OutputMaximum(std::string_view body) : body_(body) {}

    /// A decisive member. If it is repeated, the service reads one of the two, and weir might read
    /// the other.
    void once(std::string_view name) {
        if (std::ranges::find(met_, name) != met_.end()) {
            repeated_ = name;
        } else if (count_ < met_.size()) {  // no language has as many
            met_[count_++] = name;
        }
    }

    /// A maximum, as written: a view into the body.
    void take(std::string_view name, std::string_view token) {
        once(name);
        ++members_;
        const auto number = usable_max_output(token);
        odd_ |= !number && token != "null";
        if (number && (!most_ || *number > *most_)) {
            most_ = number;
            token_ = token;
        }
    }

    /// A maximum in additionalModelRequestFields. It is not known which of the two the model obeys:
    /// the larger is held, and a cap changes both.
    void take_additional(std::string_view token) {
        ++members_;
        const auto number = usable_max_output(token);
        odd_ |= !number && token != "null";
        additional_ = std::max(additional_, number.value_or(0));
    }

    /// The name of a decisive member that is repeated; empty: none is.
    std::string_view repeated() const { return repeated_; }

    void put_into(RequestFacts& facts) const {
        facts.max_output_members = members_;
        if (!most_ || odd_) {  // the service may still convert it to a number
            return;
        }
        facts.max_output = std::max(*most_, additional_);
        facts.max_output_at = static_cast<std::size_t>(token_.data() - body_.data());
        facts.max_output_size = token_.size();
    }

private:
    std::string_view body_;
    std::array<std::string_view, 8> met_{};
    std::size_t count_ = 0;
    std::string_view repeated_;
    std::optional<std::uint64_t> most_;
    std::string_view token_;  // of most_
    std::uint64_t additional_ = 0;
    std::uint32_t members_ = 0;
    bool odd_ = false;
};

}  // namespace weir::bedrock
