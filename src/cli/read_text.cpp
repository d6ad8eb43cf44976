#include "cli/read_text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace weir::cli {

Result<std::string> read_text(const std::string& path, std::size_t most, bool only_regular) {
    if (path.find('\0') != std::string::npos)
        return failure("its name holds a NUL byte");
    // Without O_NONBLOCK, opening a pipe that nobody writes to would wait for ever.
    const int flags = O_RDONLY | O_CLOEXEC | (only_regular ? O_NONBLOCK : 0);
    const int fd = ::open(path.c_str(), flags);
    if (fd < 0)
        return failure(std::strerror(errno));
    struct Closer {
        int fd;
        ~Closer() { ::close(fd); }
    } const closer{fd};
    struct stat info{};
    if (::fstat(fd, &info) != 0)
        return failure(std::strerror(errno));
    if (S_ISDIR(info.st_mode))
        return failure("it is a directory");
    if (only_regular && !S_ISREG(info.st_mode))
        return failure("it is not a regular file");
    const std::string too_large =
        "it is larger than " + std::to_string(most >> 10) + " KiB, which no such file needs";
    if (S_ISREG(info.st_mode) && info.st_size > static_cast<off_t>(most))
        return failure(too_large);
    std::string text;
    char block[16384];
    for (;;) {
        const ssize_t got = ::read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failure(std::strerror(errno));
        if (got == 0)
            return text;
        text.append(block, static_cast<std::size_t>(got));
        if (text.size() > most)
            return failure(too_large);
    }
}

}  // namespace weir::cli
