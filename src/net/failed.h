// A failure of net's by its name.
#pragma once

#include "net/io.h"

namespace weir::net {

inline NetFailure failed(NetError error, std::error_code code = {}) {
    NetFailure made;
    made.error = error;
    made.code = code;
    return made;
}

}  // namespace weir::net
