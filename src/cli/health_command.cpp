#include "cli/health_command.h"

#include "aws/http_call.h"
#include "cli/gateway_admin.h"
#include "policy/address.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ostream>

namespace weir::cli {
namespace {

struct HealthPlace {
    std::string url;
    std::string remark;  // about the file, should nobody answer
};

Result<HealthPlace> where(const HealthOptions& options, const Getenv& getenv) {
    if (!options.url.empty()) {
        if (!policy::is_http_url(options.url)) {
            return failure("--url: `" + options.url.substr(0, 200) +
                           "` is not http:// or https:// with a host");
        }
        const bool slash = options.url.ends_with('/');
        return HealthPlace{options.url.substr(0, options.url.size() - (slash ? 1 : 0)), {}};
    }
    if (!options.config.empty() && ::access(options.config.c_str(), R_OK) != 0) {
        return failure(options.config + " cannot be read");
    }
    // A gateway keeps its old configuration when a reload finds an error, so an error elsewhere in
    // the file is no reason to call it down.
    const auto loaded = load_config(options.config, getenv, NamedFiles::ignored);
    auto url = health_url(loaded.config);
    if (!url) {
        return std::unexpected(url.error());
    }
    return HealthPlace{std::move(*url), loaded.complaints.empty()
                                            ? ""
                                            : "; the configuration has errors, for one " +
                                                  to_string(loaded.complaints.front())};
}

}  // namespace

Result<std::string> health_url(const Config& config) {
    const bool admin = !config.admin.empty();
    if (!admin && config.listen.empty()) {
        return failure("no address is configured");
    }
    const std::string& text = admin ? config.admin : config.listen.front();
    const auto address = policy::parse_address(text);
    if (!address || address->port == 0) {
        return failure("`" + text + "` does not tell a port; name the gateway with --url");
    }
    std::string host = address->host;
    if (host == "0.0.0.0") {
        host = "127.0.0.1";
    } else if (host == "::") {
        host = "::1";
    }
    if (host.find(':') != std::string::npos) {
        host = "[" + host + "]";
    }
    const bool tls = !admin && config.tls.has_value();
    return (tls ? "https://" : "http://") + host + ":" + std::to_string(address->port);
}

int run_health(const HealthOptions& options, const Getenv& getenv, std::ostream& out,
               std::ostream& err) {
    const auto timeout = parse_duration(options.timeout);
    if (!timeout || *timeout <= Duration::zero()) {
        err << "weir health: --timeout: " << (timeout ? "must be above 0" : timeout.error().message)
            << '\n';
        return 2;
    }
    const auto asked = where(options, getenv);
    if (!asked) {
        err << "weir health: " << asked.error().message << '\n';
        return 2;
    }
    aws::HttpCall call;
    call.url = asked->url + "/readyz";
    call.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(*timeout);
    call.connect_timeout = call.timeout;
    call.direct = true;   // a proxy would ask another machine
    call.verify = false;  // the certificate does not name this address, and nothing secret is sent
    const std::atomic<bool> stop{false};
    const auto answer = aws::perform(call, stop);
    if (!answer) {
        err << "weir health: not running: " << call.url << ": " << answer.error().message
            << asked->remark << '\n';
        return 1;
    }
    if (answer->status == kReady && answer->body == "ok\n") {
        out << "ready\n";
        return 0;
    }
    if (answer->status == kDraining) {
        err << "weir health: draining\n";
    } else {
        err << "weir health: not weir: " << call.url << " answers " << answer->status << '\n';
    }
    return 1;
}

}  // namespace weir::cli
