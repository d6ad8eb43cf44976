#include "aws/token_cache.h"

#include "aws/json_read.h"
#include "aws/text.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>
#include <system_error>

namespace weir::aws {
namespace {

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    return ::fsync(fd) == 0;
}

}  // namespace

Result<nlohmann::json> read_token(const std::string& path) {
    auto text = read_file(path);
    if (!text) {
        return failure(text.error().message);
    }
    auto token = parse_json(*text);
    if (!token.is_object()) {
        return failure(path + " is not a JSON object");
    }
    return token;
}

Result<void> write_token(const std::string& path, const nlohmann::json& token) {
    std::string fresh = path + ".XXXXXX";
    const int fd = ::mkostemp(fresh.data(), O_CLOEXEC);  // mode 0600
    if (fd < 0) {
        return failure(path + ": " + std::generic_category().message(errno));
    }
    const std::string text = token.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const bool written = write_all(fd, text);
    const int why = errno;
    ::close(fd);
    if (!written || ::rename(fresh.c_str(), path.c_str()) != 0) {
        const int cause = written ? errno : why;
        ::unlink(fresh.c_str());
        return failure(path + ": " + std::generic_category().message(cause));
    }
    return {};
}

}  // namespace weir::aws
