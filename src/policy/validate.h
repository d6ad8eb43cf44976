// The parts of weir::validate.
#pragma once

#include <weir/config.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::policy {

/// Gathers problems; every check goes through here so that paths are written in one way.
class Problems {
public:
    void add(std::string path, std::string message) {
        list_.push_back({std::move(path), std::move(message)});
    }
    bool require(bool good, std::string_view path, std::string_view message) {
        if (!good)
            add(std::string(path), std::string(message));
        return good;
    }
    std::vector<Problem> take() { return std::move(list_); }

private:
    std::vector<Problem> list_;
};

/// `text` in backquotes, cut where it would fill the screen.
std::string quoted(std::string_view text);
std::string element(std::string_view path, std::size_t index);
std::string member_path(std::string_view path, std::string_view name);
/// A name that is safe in headers, paths, labels and logs.
bool is_plain_name(std::string_view text, std::size_t most);
bool is_sha256(std::string_view hex);
/// With no Regions declared every Region is allowed, except where a route names one.
bool is_declared(const Config& config, const std::string& region);
std::string declared_regions(const Config& config);

/// Empty, `default` or one of `accounts`.
void validate_account(const Config& config, const std::string& account, const std::string& path,
                      Problems& problems);

void validate_listeners(const Config& config, Problems& problems);
void validate_regions(const Config& config, Problems& problems);
void validate_quotas(const Config& config, Problems& problems);
void validate_routes(const Config& config, Problems& problems);
void validate_clients(const Config& config, Problems& problems);
void validate_keyless(const Config& config, Problems& problems);
void validate_shared(const Config& config, Problems& problems);
void validate_aws(const Config& config, Problems& problems);
void validate_otlp(const Config& config, Problems& problems);
void validate_prices(const Config& config, Problems& problems);
void validate_rows(const Config& config, Problems& problems);

/// Values that are allowed and probably not intended. For a configuration without errors.
std::vector<Problem> doubts(const Config& config);

}  // namespace weir::policy
