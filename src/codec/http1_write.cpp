// Writing HTTP/1.1. What goes out is as strict as what may come in.
#include "codec/http1.h"
#include "codec/lanes.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

namespace weir::codec {

namespace {

std::atomic<std::uint64_t> unclean{0};

/// A line end inside a field would be a second field, or a second message, of somebody's choosing.
bool is_one_line(std::string_view text) {
    const auto bad = [](Lanes bytes) {
        return true_lanes(bytes == '\r') | true_lanes(bytes == '\n') | true_lanes(bytes == '\0');
    };
    Lanes found{};
    if (text.size() < kLanes) {
        if (text.empty())
            return true;
        found = bad(load_short_lanes(text));
    } else {
        for (std::size_t at = 0; at + kLanes < text.size(); at += kLanes)
            found |= bad(load_lanes(text.data() + at));
        found |= bad(load_lanes(text.data() + text.size() - kLanes));
    }
    return lane_bits(found) == 0;
}

/// What came from outside was cleaned where it was read, so this is a fault of our own: it ends a
/// debug build. A release goes on without those bytes, and counts.
[[gnu::noinline, gnu::cold]] void clean(std::string& out, std::size_t from, std::size_t size) {
#ifndef NDEBUG
    std::fputs("weir: a line end or NUL was about to be written into an HTTP head\n", stderr);
    std::abort();
#endif
    unclean.fetch_add(1, std::memory_order_relaxed);
    for (char& c : std::span(out).subspan(from, size)) {
        if (c == '\r' || c == '\n' || c == '\0')
            c = '_';
    }
}

}  // namespace

std::uint64_t unclean_lines() {
    return unclean.load(std::memory_order_relaxed);
}

void append_status_line(std::string& out, int status) {
    out += "HTTP/1.1 ";
    out += std::to_string(status);
    out += ' ';
    out += reason_phrase(status);
    out += "\r\n";
}

void append_request_line(std::string& out, std::string_view method, std::string_view target) {
    const std::size_t start = out.size();
    out += method;
    out += ' ';
    out += target;
    if (!is_one_line(method) || !is_one_line(target)) [[unlikely]]
        clean(out, start, out.size() - start);
    out += " HTTP/1.1\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    const bool sound = is_one_line(name) && is_one_line(value);
    const std::size_t start = out.size();
    const std::size_t size = start + name.size() + value.size() + 4;
    // g++ 12 tells the function of all the room it has made.
    out.resize_and_overwrite(size, [&](char* text, std::size_t /*room*/) {
        char* at = std::copy_n(name.data(), name.size(), text + start);
        at = std::copy_n(": ", 2, at);
        at = std::copy_n(value.data(), value.size(), at);
        std::copy_n("\r\n", 2, at);
        return size;
    });
    if (!sound) [[unlikely]]
        clean(out, start, size - start - 2);
}

void append_chunk(std::string& out, std::string_view content) {
    if (content.empty())
        return;  // a chunk of no bytes would end the body
    char size[16];
    const auto end = std::to_chars(size, size + sizeof size, content.size(), 16).ptr;
    out.append(size, end);
    out += "\r\n";
    out += content;
    out += "\r\n";
}

std::string_view reason_phrase(int status) {
    switch (status) {
        case 100:
            return "Continue";
        case 101:
            return "Switching Protocols";
        case 103:
            return "Early Hints";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 206:
            return "Partial Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 417:
            return "Expectation Failed";
        case 421:
            return "Misdirected Request";
        case 422:
            return "Unprocessable Content";
        case 424:
            return "Failed Dependency";
        case 426:
            return "Upgrade Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        case 508:
            return "Loop Detected";
        case 529:
            return "Overloaded";
        default:
            return "";
    }
}

}  // namespace weir::codec
