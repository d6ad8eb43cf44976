// A request's body on its way in.
#pragma once

#include "net/body_pace.h"
#include "net/io.h"

#include <optional>
#include <utility>

namespace weir::net {

/// What a connection keeps of a body beside its bytes: the pace that it must keep, whether its
/// client still waits for "100 Continue", and the first failure, which is final.
class Upload {
public:
    void begin(bool expects_continue) {
        *this = Upload();
        asked_for_ = !expects_continue;
    }

    BodyPace& pace() { return pace_; }

    /// False: nobody has, so the client may send the body or not.
    bool asked_for() const { return asked_for_; }
    /// The handler wants the body. True: the client has to be told so, once.
    bool ask() { return !std::exchange(asked_for_, true); }

    void fail(NetError why) {
        if (!failure_) {
            failure_ = why;
        }
    }
    bool failed() const { return failure_.has_value(); }
    NetError why() const { return failure_.value_or(NetError::closed); }

private:
    BodyPace pace_;
    std::optional<NetError> failure_;
    bool asked_for_ = false;
};

}  // namespace weir::net
