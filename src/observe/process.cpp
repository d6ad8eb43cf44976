// process_*: what Prometheus clients tell of the process they live in, read from /proc.
#include "observe/scrape.h"

#include <sys/resource.h>
#include <unistd.h>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

namespace weir::observe {
namespace {

using prometheus::MetricType;

// The fields of /proc/self/stat that follow the name, which may itself hold spaces and brackets;
// the first one here is field 3 of proc(5).
struct Stat {
    std::array<double, 22> fields{};
    double at(std::size_t number) const { return fields[number - 3]; }
};

std::optional<Stat> read_stat() {
    std::ifstream file("/proc/self/stat");
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const std::size_t bracket = text.rfind(')');
    if (bracket == std::string::npos || bracket + 4 > text.size()) {
        return std::nullopt;
    }
    std::istringstream rest(text.substr(bracket + 4));  // past ") S"
    Stat stat;
    for (std::size_t i = 1; i < stat.fields.size(); ++i) {
        if (!(rest >> stat.fields[i])) {
            return std::nullopt;
        }
    }
    return stat;
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::optional<double> boot_time() {
    std::ifstream file("/proc/stat");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("btime ")) {
            return std::strtod(line.c_str() + 6, nullptr);
        }
    }
    return std::nullopt;
}

void append(std::vector<prometheus::MetricFamily>& out, const char* name, const char* help,
            double value, MetricType type = MetricType::Gauge) {
    prometheus::MetricFamily family{name, help, type, {}};
    prometheus::ClientMetric metric;
    (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    family.metric.push_back(std::move(metric));
    out.push_back(std::move(family));
}

}  // namespace

void append_process(std::vector<prometheus::MetricFamily>& out) {
    if (const auto stat = read_stat()) {
        const auto tick = static_cast<double>(::sysconf(_SC_CLK_TCK));
        const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
        append(out, "process_threads", "Threads.", stat->at(20));
        append(out, "process_virtual_memory_bytes", "Address space in use.", stat->at(23));
        append(out, "process_resident_memory_bytes", "Memory in use.", stat->at(24) * page);
        if (const auto boot = boot_time()) {
            append(out, "process_start_time_seconds", "Start, in seconds since 1970.",
                   *boot + stat->at(22) / tick);
        }
    }
    struct rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0) {  // finer than the clock ticks of stat
        append(out, "process_cpu_seconds_total", "User and system time used.",
               seconds(usage.ru_utime) + seconds(usage.ru_stime), MetricType::Counter);
    }
    std::error_code error;
    const std::filesystem::directory_iterator files("/proc/self/fd", error);
    if (!error) {
        // One of them is the iterator's own.
        append(out, "process_open_fds", "Open file descriptors.",
               static_cast<double>(std::distance(begin(files), end(files)) - 1));
    }
    struct rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        append(out, "process_max_fds", "The most file descriptors that may be open.",
               static_cast<double>(limit.rlim_cur));
    }
}

}  // namespace weir::observe
