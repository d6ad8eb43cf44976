// Who hears that a peer has gone.
#pragma once

#include <utility>

namespace weir::net {

/// Tells at most once each time it is set.
class Watch {
public:
    using Gone = void (*)(void* context);

    void set(Gone gone, void* context) {
        gone_ = gone;
        context_ = context;
    }
    void clear() { gone_ = nullptr; }
    bool is_set() const { return gone_ != nullptr; }
    void tell() {
        if (const Gone gone = std::exchange(gone_, nullptr); gone != nullptr) {
            gone(context_);
        }
    }

private:
    Gone gone_ = nullptr;
    void* context_ = nullptr;
};

}  // namespace weir::net
