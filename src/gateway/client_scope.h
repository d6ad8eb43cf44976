// What a client's `models` and `regions` let it use.
#pragma once

#include <weir/config.h>

#include <string_view>

namespace weir::gateway {

/// `asked`: as the caller writes it; `name`: with aliases resolved and ARNs shortened. A client
/// that is not configured may use all.
bool may_use_model(const Config& config, const ClientConfig* client, std::string_view asked,
                   std::string_view name);

/// The same for a name to read about, not to run: `us.x.*` covers the foundation model `x.y`.
bool may_read_model(const Config& config, const ClientConfig* client, std::string_view asked,
                    std::string_view name);

bool may_use_region(const ClientConfig* client, std::string_view region);

}  // namespace weir::gateway
