#include "aws/json_read.h"

#include "codec/json_depth.h"

namespace weir::aws {

nlohmann::json parse_json(std::string_view text) {
    return codec::is_shallow_json(text) ? nlohmann::json::parse(text, nullptr, false)
                                        : nlohmann::json(nlohmann::json::value_t::discarded);
}

}  // namespace weir::aws
