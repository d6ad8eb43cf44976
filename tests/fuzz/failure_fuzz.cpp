#include "fuzz/failure_fuzz.h"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir::fuzz::failure({reinterpret_cast<const char*>(data), size});
    return 0;
}
