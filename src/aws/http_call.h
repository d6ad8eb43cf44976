// One HTTP request by libcurl, for rare control-plane calls on a thread that may block.
#pragma once

#include <weir/result.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
    std::string proxy;    // URL; empty: as the environment says
    std::string ca;       // PEM file; empty: SSL_CERT_FILE, else the system's store
    bool verify =
        true;  // false: any certificate will do, where nothing is entrusted to the other side
    std::size_t most_bytes = 1 << 20;  // of the answer's head, and of its body
};

struct HttpAnswer {
    long status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case

    /// The first field of this name, in lower case; empty: none.
    std::string header(std::string_view name) const;
};

/// Blocks until the answer is whole, a timeout, or about a second after `stop` turns true. Follows
/// no redirect, raises no signal. Any status is an answer, not an error.
Result<HttpAnswer> perform(const HttpCall& call, const std::atomic<bool>& stop);

/// Scheme and host of a URL as libcurl would use them, host in lower case and without brackets.
struct UrlParts {
    std::string scheme;
    std::string host;
};
Result<UrlParts> split_url(const std::string& url);

/// Unix seconds of an HTTP date.
std::optional<std::int64_t> parse_http_date(const std::string& text);

}  // namespace weir::aws
