#include "gateway/client_scope.h"

#include "policy/eligibility.h"

#include <weir/models.h>

#include <algorithm>

namespace weir::gateway {

bool may_use_model(const Config& config, const ClientConfig* client, std::string_view asked,
                   std::string_view name) {
    return client == nullptr || policy::may_use_model(config, *client, asked) ||
           (name != asked && policy::may_use_model(config, *client, name));
}

bool may_read_model(const Config& config, const ClientConfig* client, std::string_view asked,
                    std::string_view name) {
    return may_use_model(config, client, asked, name) ||
           std::ranges::any_of(client->models, [&](const auto& glob) {
               return policy::glob_match(split_model(glob).base, split_model(name).base);
           });
}

bool may_use_region(const ClientConfig* client, std::string_view region) {
    return client == nullptr || client->regions.empty() ||
           std::ranges::find(client->regions, region) != client->regions.end();
}

}  // namespace weir::gateway
