#include "fuzz/http2_fuzz.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::fuzz::http2({reinterpret_cast<const char*>(data), size});
    return 0;
}
