#include "cli/doctor_network.h"

#include "aws/http_call.h"
#include "gateway/process_keys.h"

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

/// Of the Region's settings, else of the environment; empty: none. A password is cut out.
std::string proxy_of(const RegionConfig& region) {
    std::string proxy = region.proxy;
    for (const char* name : {"HTTPS_PROXY", "https_proxy"}) {
        if (proxy.empty()) {
            proxy = gateway::process_variable(name).value_or("");
        }
    }
    const auto begin = proxy.find("://");
    const auto at = proxy.find('@');
    if (at != std::string::npos) {
        const auto from = begin == std::string::npos ? 0 : begin + 3;
        proxy.erase(from, at + 1 - from);
    }
    return proxy;
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
    const std::int64_t skew = *theirs - std::chrono::duration_cast<std::chrono::seconds>(
                                            std::chrono::system_clock::now().time_since_epoch())
                                            .count();
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
    const std::string proxy = plain ? "" : proxy_of(region);
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
