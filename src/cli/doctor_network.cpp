#include "cli/doctor_network.h"

#include "aws/http_call.h"
#include "aws/text.h"
#include "gateway/process_keys.h"
#include "net/upstream.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>

namespace weir::cli {
namespace {

constexpr std::int64_t kMostSkew = 240;  // seconds; signatures may be five minutes old

Finding dns_of(const std::string& host) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, [](addrinfo* list) {
        if (list != nullptr) {
            ::freeaddrinfo(list);
        }
    });
    if (code != 0) {
        return {"DNS", Verdict::bad, host + ": " + ::gai_strerror(code),
                "Check the Region's name and this machine's resolver (/etc/resolv.conf). In a VPC "
                "without a way out, create an interface endpoint for bedrock-runtime with private "
                "DNS."};
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* address =
        found->ai_family == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_addr)
            : &reinterpret_cast<sockaddr_in6*>(found->ai_addr)->sin6_addr;
    ::inet_ntop(found->ai_family, address, text.data(), text.size());
    return {"DNS", Verdict::good, host + " is " + text.data()};
}

/// As calls would take it, without its password; empty: none.
std::string proxy_of(const std::string& url, const RegionConfig& region) {
    const auto endpoint = net::Endpoint::parse(url, {}, region.proxy);
    return !endpoint || endpoint->proxy_host.empty()
               ? ""
               : fmt::format("http://{}:{}", endpoint->proxy_host, endpoint->proxy_port);
}

bool mentions(const std::string& text, std::initializer_list<const char*> words) {
    for (const char* word : words) {
        if (text.contains(word)) {
            return true;
        }
    }
    return false;
}

Finding clock_of(const aws::HttpAnswer& answer) {
    const auto theirs = aws::parse_http_date(answer.header("date"));
    if (!theirs) {
        return {"clock", Verdict::unknown, "the endpoint's answer has no Date",
                "Compare this machine's clock with another's."};
    }
    const std::int64_t skew = *theirs - aws::unix_now();
    const std::string text =
        fmt::format("{} s {} the service's", std::abs(skew), skew > 0 ? "behind" : "ahead of");
    if (std::abs(skew) < kMostSkew) {
        return {"clock", Verdict::good, std::abs(skew) < 2 ? "as the service's" : text};
    }
    return {"clock", Verdict::bad, text,
            "Set the clock (chronyd or systemd-timesyncd): AWS refuses signatures that are five "
            "minutes off."};
}

}  // namespace

NetworkFindings examine_network(const std::string& url, const RegionConfig& region,
                                const std::atomic<bool>& stop) {
    NetworkFindings found;
    const bool plain = url.starts_with("http://");
    const std::string proxy = plain ? "" : proxy_of(url, region);
    const auto parts = aws::split_url(url);
    found.dns = parts ? dns_of(parts->host)
                      : Finding{"DNS", Verdict::bad, url + " is not a URL", "Mend `endpoint`."};
    if (!proxy.empty() && found.dns.verdict == Verdict::bad) {
        found.dns = {"DNS", Verdict::good, "left to the proxy"};
    }
    aws::HttpCall call;
    call.url = url + "/";
    call.connect_timeout = std::chrono::seconds(5);
    call.timeout = std::chrono::seconds(10);
    call.ca = region.ca;
    call.proxy = region.proxy;
    call.direct = plain;
    if (call.ca.empty()) {
        call.ca = gateway::process_variable("AWS_CA_BUNDLE").value_or("");
    }
    const auto answer = aws::perform(call, stop);
    const std::string why = answer ? "" : answer.error().message;
    found.reached = answer.has_value();
    const bool by_tls = mentions(why, {"certificate", "SSL", "TLS"});
    const std::string untold = "the endpoint could not be reached: " + why;
    found.clock =
        answer ? clock_of(*answer)
               : Finding{"clock", Verdict::unknown, untold, "Mend the way to the endpoint first."};
    if (proxy.empty()) {
        found.proxy = {"proxy", Verdict::good, "none"};
    } else if (answer || by_tls) {
        found.proxy = {"proxy", Verdict::good, "through " + proxy};
    } else {
        found.proxy = {"proxy", Verdict::bad, proxy + ": " + why,
                       "The proxy must allow CONNECT to the endpoint's port 443. To go past it, "
                       "name the endpoint's host in NO_PROXY."};
    }
    if (plain) {
        found.tls = {"TLS", Verdict::good, "none: the endpoint is plain http"};
    } else if (answer) {
        found.tls = {"TLS", Verdict::good, "the certificate is trusted"};
    } else if (by_tls) {
        found.tls = {"TLS", Verdict::bad, why,
                     "If a proxy opens TLS, name its certificate in `ca` of the Region or in "
                     "AWS_CA_BUNDLE; else install ca-certificates."};
    } else {
        found.tls = {"TLS", Verdict::unknown, untold,
                     "Security groups and firewalls must let port 443 out."};
    }
    return found;
}

}  // namespace weir::cli
