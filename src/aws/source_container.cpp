// The container endpoint: ECS tasks, EKS Pod Identity, Greengrass.
#include "aws/http_call.h"
#include "aws/source.h"
#include "aws/text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

namespace weir::aws {
namespace {

constexpr const char* kLinkLocal = "http://169.254.170.2";
constexpr int kContainerTries = 3;

/// Keys may travel without TLS only where the network is the host's own.
bool may_be_plain(const std::string& host) {
    constexpr std::array<std::string_view, 5> kAllowed{"localhost", "169.254.170.2",
                                                       "169.254.170.23", "fd00:ec2::23", "::1"};
    bool loopback =
        host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
    return loopback || std::ranges::find(kAllowed, host) != kAllowed.end();
}

class ContainerSource : public Source {
public:
    explicit ContainerSource(Environment environment) : environment_(std::move(environment)) {}
    std::string name() const override { return "container"; }

    Fetched fetch(const std::atomic<bool>& stop) override {
        HttpCall call;
        if (auto relative = variable(environment_, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")) {
            if (!relative->starts_with('/')) {
                return Broken{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not begin with /"};
            }
            const std::string& base = environment_.container_endpoint;
            call.url = (base.empty() ? kLinkLocal : base) + *relative;
        } else if (auto full = variable(environment_, "AWS_CONTAINER_CREDENTIALS_FULL_URI")) {
            auto parts = split_url(*full);
            if (!parts) {
                return Broken{"AWS_CONTAINER_CREDENTIALS_FULL_URI: " + parts.error().message};
            }
            if (parts->scheme != "https" &&
                (parts->scheme != "http" || !may_be_plain(parts->host))) {
                return Broken{"AWS_CONTAINER_CREDENTIALS_FULL_URI: host " + excerpt(parts->host) +
                              " is not allowed without https; allowed are loopback, "
                              "169.254.170.2, 169.254.170.23 and fd00:ec2::23"};
            }
            call.url = *full;
        } else {
            return Absent{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set"};
        }
        auto token = authorization();
        if (!token) {
            return Broken{token.error().message};
        }
        if (!token->empty()) {
            call.headers.push_back("Authorization: " + *token);
        }
        call.headers.emplace_back("Accept: application/json");
        call.timeout = std::chrono::seconds(2);
        call.direct = true;
        return ask(call, stop);
    }

private:
    /// The file first and read anew each time, as it is rotated; empty: none is asked for.
    Result<std::string> authorization() const {
        std::string token;
        if (auto file = variable(environment_, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")) {
            auto text = read_file(*file);
            if (!text) {
                return failure("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: " + text.error().message);
            }
            token = trim(*text);
        } else {
            token = variable(environment_, "AWS_CONTAINER_AUTHORIZATION_TOKEN").value_or("");
        }
        auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
        if (std::ranges::any_of(token, is_control)) {
            return failure("the container authorization token holds a control character");
        }
        return token;
    }

    static Fetched ask(const HttpCall& call, const std::atomic<bool>& stop) {
        std::string why;
        for (int i = 0; i < kContainerTries; ++i) {
            for (int slept = 0; i > 0 && slept < 10 && !stop.load(); ++slept) {
                std::this_thread::sleep_for(std::chrono::milliseconds(100));
            }
            if (stop.load()) {
                return Broken{"stopped"};
            }
            auto answer = perform(call, stop);
            if (answer && answer->status == 200) {
                return parse_json_credentials(answer->body, "Token", "container");
            }
            why =
                call.url + ": " +
                (answer ? "answered " + std::to_string(answer->status) + " " + excerpt(answer->body)
                        : answer.error().message);
            if (answer && answer->status >= 400 && answer->status < 500 && answer->status != 429) {
                break;  // asking again will not change it
            }
        }
        return Broken{why};
    }

    Environment environment_;
};

}  // namespace

std::unique_ptr<Source> make_container_source(const Environment& environment) {
    return std::make_unique<ContainerSource>(environment);
}

}  // namespace weir::aws
