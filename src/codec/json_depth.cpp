#include "codec/json_depth.h"

namespace weir::codec {

bool is_shallow_json(std::string_view json, std::size_t most) {
    std::size_t open = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (in_string) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++open > most) {
                return false;
            }
        } else if ((c == ']' || c == '}') && open > 0) {
            --open;
        }
    }
    return true;
}

}  // namespace weir::codec
