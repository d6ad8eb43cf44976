// `weir explain ID`: the life of one request, as the running gateway has kept it.
#pragma once

#include "cli/gateway_admin.h"

#include <iosfwd>
#include <string>

namespace weir::cli {

struct ExplainOptions {
    AdminAddress admin;
    std::string id;
    bool json = false;
};

/// What the command prints of the JSON of GET /explain/ID: sentences first, figures after.
std::string explain_text(const std::string& json);

/// 0 told; 1 nobody answers, or nothing is kept of it; 2 wrong use.
int run_explain(const ExplainOptions& options, const Getenv& getenv, std::ostream& out,
                std::ostream& err);

}  // namespace weir::cli
