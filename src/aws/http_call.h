// One HTTP request by libcurl, for rare control-plane calls on a thread that may block.
#pragma once

#include <weir/result.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

namespace weir::aws {

struct HttpCall {
    std::string method = "GET";
    std::string url;
    std::vector<std::string> headers;  // "Name: value", no CR or LF inside
    std::string body;
    std::chrono::milliseconds connect_timeout{1000};
    std::chrono::milliseconds timeout{5000};
    bool direct = false;  // past every proxy: link-local services
    std::string ca;       // PEM file; empty: the system's store
};

struct HttpAnswer {
    long status = 0;
    std::string body;
};

/// Blocks until the answer is whole, a timeout, or about a second after `stop` turns true. Follows
/// no redirect, raises no signal, takes at most 1 MiB. Any status is an answer, not an error.
Result<HttpAnswer> perform(const HttpCall& call, const std::atomic<bool>& stop);

/// Scheme and host of a URL as libcurl would use them, host in lower case and without brackets.
struct UrlParts {
    std::string scheme;
    std::string host;
};
Result<UrlParts> split_url(const std::string& url);

/// A value for application/x-www-form-urlencoded.
std::string form_encode(const std::string& value);

}  // namespace weir::aws
