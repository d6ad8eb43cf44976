// `weir costs`: what calls have used and cost, from the running gateway or its file, and the
// prices.
#pragma once

#include "cli/gateway_admin.h"

#include <nlohmann/json.hpp>

#include <iosfwd>
#include <string>
#include <string_view>

namespace weir::cli {

struct CostsOptions {
    AdminAddress admin;
    std::string since = "7d";
    std::string by = "client,model";
    bool csv = false;
    bool json = false;
    std::string file;  // a ledger's file, instead of the gateway
    bool prices = false;
};

/// 0; 1: no answer, or the file is of no use; 2: wrong use.
int run_costs(const CostsOptions& options, const Getenv& getenv, std::ostream& out,
              std::ostream& err);

/// Of the JSON that GET /costs answers: tables for people, or CSV.
std::string costs_text(const nlohmann::ordered_json& costs);
std::string costs_csv(const nlohmann::ordered_json& costs);

/// A field of RFC 4180. One that a spreadsheet would take for a formula begins with an apostrophe.
std::string csv_field(std::string_view text);

}  // namespace weir::cli
