#include "fuzz/http1_beast_fuzz.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::fuzz::http1_beast({reinterpret_cast<const char*>(data), size});
    return 0;
}
