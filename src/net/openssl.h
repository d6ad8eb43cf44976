// What all code that calls OpenSSL needs.
#pragma once

#include <openssl/err.h>

#include <new>

namespace weir::net {

/// OpenSSL says by null that there was no memory.
template <class T>
T* or_no_memory(T* object) {
    if (object == nullptr) {
        ERR_clear_error();
        throw std::bad_alloc();
    }
    return object;
}

}  // namespace weir::net
