// Why a request ends before its time.
#pragma once

namespace weir::gateway {

struct Stop {
    bool gone = false;     // the client has left
    bool drained = false;  // the drain's time is over

    bool raised() const { return gone || drained; }
};

}  // namespace weir::gateway
