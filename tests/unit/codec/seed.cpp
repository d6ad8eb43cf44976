// WEIR_SEED re-runs RapidCheck's tests with the seed that a failing run printed.
#include <cstdlib>
#include <string>

namespace {

[[maybe_unused]] const bool kSeeded = [] {
    if (const char* seed = std::getenv("WEIR_SEED"))
        setenv("RC_PARAMS", ("seed=" + std::string(seed)).c_str(), 1);
    return true;
}();

}  // namespace
