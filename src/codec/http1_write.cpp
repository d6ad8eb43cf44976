// Writing HTTP/1.1. What goes out is as strict as what may come in.
#include "codec/http1.h"
#include "codec/lanes.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir::codec {

namespace {

/// A line end inside a field would be a second field, or a second message, of somebody's choosing.
/// No caller may let one through, so this is a broken promise and no bad input.
void require_one_line(std::string_view text) {
    const auto bad = [](Lanes bytes) {
        return true_lanes(bytes == '\r') | true_lanes(bytes == '\n') | true_lanes(bytes == '\0');
    };
    Lanes found{};
    if (text.size() < kLanes) {
        if (text.empty())
            return;
        found = bad(load_short_lanes(text));
    } else {
        for (std::size_t at = 0; at + kLanes < text.size(); at += kLanes)
            found |= bad(load_lanes(text.data() + at));
        found |= bad(load_lanes(text.data() + text.size() - kLanes));
    }
    if (lane_bits(found) != 0) {
        std::fputs("weir: a line end or NUL was about to be written into an HTTP head\n", stderr);
        std::abort();
    }
}

}  // namespace

void append_status_line(std::string& out, int status) {
    out += "HTTP/1.1 ";
    out += std::to_string(status);
    out += ' ';
    out += reason_phrase(status);
    out += "\r\n";
}

void append_request_line(std::string& out, std::string_view method, std::string_view target) {
    require_one_line(method);
    require_one_line(target);
    out += method;
    out += ' ';
    out += target;
    out += " HTTP/1.1\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    require_one_line(name);
    require_one_line(value);
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
