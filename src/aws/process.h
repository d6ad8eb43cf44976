// Runs a credential_process: a command whose output is small and whose patience is bounded.
#pragma once

#include <weir/result.h>

#include <atomic>
#include <chrono>
#include <string>

namespace weir::aws {

/// Runs `command` by /bin/sh and returns what it wrote to its standard output. A failure, more
/// than 64 KiB, or `timeout` is an error with the first line of its standard error; then its whole
/// process group is killed. No descriptor but the three standard ones reaches the command. Ends
/// soon after `stop` turns true.
Result<std::string> run_command(const std::string& command, std::chrono::milliseconds timeout,
                                const std::atomic<bool>& stop);

}  // namespace weir::aws
