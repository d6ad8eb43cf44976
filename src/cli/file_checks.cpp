#include "cli/file_checks.h"

#include "gateway/state_file.h"
#include "net/tls.h"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>

namespace weir::cli {

namespace {

/// Empty: it can be read.
std::string why_unreadable(const std::string& file) {
    errno = 0;
    std::ifstream in(file, std::ios::binary);
    if (in.is_open() && in.peek() != std::ifstream::traits_type::eof())
        return {};
    return "cannot read '" + file + "': " +
           (errno != 0 ? std::system_category().message(errno) : std::string("it is empty"));
}

void check_pair(const TlsConfig& tls, std::vector<Problem>& problems) {
    const auto certificate = why_unreadable(tls.certificate);
    const auto key = why_unreadable(tls.key);
    if (!certificate.empty())
        problems.push_back({"tls.certificate", certificate + "; allowed is a PEM file"});
    if (!key.empty())
        problems.push_back({"tls.key", key + "; allowed is a PEM file"});
    if (!certificate.empty() || !key.empty())
        return;
    const auto made = net::TlsContext::server(tls.certificate, tls.key);
    if (!made)
        problems.push_back({made.error().message.find("the key") != std::string::npos
                                ? "tls.key"
                                : "tls.certificate",
                            made.error().message});
}

void check_trust(const std::string& file, const std::string& path, std::vector<Problem>& problems) {
    auto why = why_unreadable(file);
    if (why.empty()) {
        if (const auto read = net::TrustReload::prepare({file}); !read)
            why = read.error().message;
    }
    if (!why.empty())
        problems.push_back({path, why + "; allowed is a PEM file of trusted certificates"});
}

bool by_tls(const RegionConfig& region) {
    return region.endpoint.empty() || region.endpoint.starts_with("https:");
}

/// For Regions without a `ca`; null: the system's store.
const char* environments_trust() {
    const char* bundle =
        std::getenv("AWS_CA_BUNDLE");  // NOLINT(concurrency-mt-unsafe): nobody sets any
    return bundle != nullptr && *bundle != '\0' ? bundle : nullptr;
}

}  // namespace

std::vector<std::string> named_files(const Config& config) {
    std::vector<std::string> files;
    if (config.tls)
        files = {config.tls->certificate, config.tls->key};
    for (const auto& [name, region] : config.regions) {
        if (!region.ca.empty())
            files.push_back(region.ca);
    }
    if (config.shared && !config.shared->ca.empty())
        files.push_back(config.shared->ca);
    if (!config.otlp.ca.empty())
        files.push_back(config.otlp.ca);
    if (const char* bundle = environments_trust())
        files.emplace_back(bundle);
    return files;
}

std::vector<Problem> file_problems(const Config& config) {
    std::vector<Problem> problems;
    if (config.tls)
        check_pair(*config.tls, problems);
    if (config.shared && !config.shared->ca.empty())
        check_trust(config.shared->ca, "shared.ca", problems);
    if (!config.otlp.ca.empty())
        check_trust(config.otlp.ca, "otlp.ca", problems);
    if (!config.state_file.empty()) {
        if (const auto can = gateway::can_write_state(config.state_file); !can)
            problems.push_back({"state_file", can.error().message});
    }
    if (!config.costs.file.empty()) {
        if (const auto can = gateway::can_write_state(config.costs.file); !can)
            problems.push_back({"costs.file", can.error().message});
    }
    bool environment = config.regions.empty();
    for (const auto& [name, region] : config.regions) {
        if (!region.ca.empty())
            check_trust(region.ca, "regions." + name + ".ca", problems);
        environment = environment || (region.ca.empty() && by_tls(region));
    }
    environment = environment || (config.shared && config.shared->ca.empty() &&
                                  config.shared->url.starts_with("rediss:"));
    const char* bundle = environments_trust();
    if (environment && bundle != nullptr)
        check_trust(bundle, "AWS_CA_BUNDLE", problems);
    return problems;
}

}  // namespace weir::cli
