// The published signing suite, read from its files.
#pragma once

#include "codec/sigv4.h"
#include "unit/codec/suites.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace weir::testing {

using codec::Field;

inline constexpr std::int64_t kThen = 1440938160;  // 2015-08-30T12:36:00Z
inline const codec::SigningCredentials kExample{"AKIDEXAMPLE",
                                                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};

/// A request as the suite writes it: bare line ends, folded values, blanks in the path.
struct SuiteRequest {
    std::string method;
    std::string target;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;

    explicit SuiteRequest(const std::string& text) {
        std::size_t at = 0;
        const auto line = [&] {
            const std::size_t end = std::min(text.find('\n', at), text.size());
            const std::string taken = text.substr(at, end - at);
            at = std::min(end + 1, text.size());
            return taken;
        };
        const std::string first = line();
        const std::size_t space = first.find(' ');
        method = first.substr(0, space);
        target = first.substr(space + 1, first.rfind(' ') - space - 1);
        for (std::string field = line(); !field.empty(); field = line()) {
            if (field[0] == ' ' || field[0] == '\t') {
                fields.back().second += "\n" + field;
                continue;
            }
            const std::size_t colon = field.find(':');
            fields.emplace_back(field.substr(0, colon), field.substr(colon + 1));
        }
        body = text.substr(at);
    }

    std::vector<Field> views() const {
        std::vector<Field> out;
        out.reserve(fields.size());
        for (const auto& [name, value] : fields)
            out.push_back({name, value});
        return out;
    }
};

/// One folder of the suite: a request and what its signing gives at every step.
struct SuiteCase {
    std::string name;
    SuiteRequest request;
    codec::SigningCredentials credentials;
    codec::SigningOptions options;
    std::string canonical_request;
    std::string string_to_sign;
    std::string signature;
    std::string signed_request;
};

inline std::vector<SuiteCase> sigv4_suite(const std::filesystem::path& folder) {
    std::vector<SuiteCase> cases;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const auto file = [&](const char* name) { return read_file(entry.path() / name); };
        SuiteCase one{.name = entry.path().filename(),
                      .request = SuiteRequest(file("request.txt")),
                      .credentials = kExample,
                      .options = {},
                      .canonical_request = file("header-canonical-request.txt"),
                      .string_to_sign = file("header-string-to-sign.txt"),
                      .signature = file("header-signature.txt"),
                      .signed_request = file("header-signed-request.txt")};
        const std::string context = file("context.json");
        const std::string mark = R"("token": ")";
        const std::size_t token = context.find(mark);
        if (token != std::string::npos && !context.contains(R"("omit_session_token": true)")) {
            const std::size_t start = token + mark.size();
            one.credentials.session_token = context.substr(start, context.find('"', start) - start);
        }
        one.options.normalize_path = context.contains(R"("normalize": true)");
        one.options.sign_body_header = context.contains(R"("sign_body": true)");
        cases.push_back(std::move(one));
    }
    return cases;
}

}  // namespace weir::testing
