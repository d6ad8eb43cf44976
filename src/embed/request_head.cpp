#include "embed/request_head.h"

#include "bedrock/operation.h"
#include "codec/http1.h"

#include <chrono>
#include <string_view>

namespace weir::embed {
namespace {

/// Only what could end its line, or the head, early. The rest is the reader's to judge: it does so
/// for every request.
bool stays_in_line(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

Result<void> append(std::string& head, std::string_view name, std::string_view value) {
    if (!stays_in_line(name) || !stays_in_line(value)) {
        return failure("a line break or NUL is in the field " +
                       std::string(name.substr(0, name.find_first_of("\r\n"))));
    }
    codec::append_field(head, name, value);
    return {};
}

Result<std::string> path_of(const Client::Request& request) {
    if (!request.path.empty()) {
        return request.path;
    }
    if (request.model.empty() || request.operation.empty()) {
        return failure("a request needs a model and an operation, or a path");
    }
    return bedrock::with_model("/model/-/" + request.operation, "-", request.model);
}

}  // namespace

Result<std::string> request_head(const Client::Request& request) {
    const auto path = path_of(request);
    if (!path) {
        return path;
    }
    if (!stays_in_line(request.method) || !stays_in_line(*path)) {
        return failure("a line break or NUL is in the method or the path");
    }
    Client::Fields fields{{"Host", "localhost"}, {"Content-Type", request.content_type}};
    if (!request.body.empty() || request.method != "GET") {
        fields.emplace_back("Content-Length", std::to_string(request.body.size()));
    }
    if (!request.client.empty()) {
        fields.emplace_back("x-weir-client", request.client);
    }
    if (request.priority) {
        fields.emplace_back("x-weir-priority", to_string(*request.priority));
    }
    if (request.deadline) {
        fields.emplace_back("x-weir-deadline-ms", std::to_string(to_ms(*request.deadline)));
    }
    fields.insert(fields.end(), request.fields.begin(), request.fields.end());
    std::string head;
    codec::append_request_line(head, request.method, *path);
    for (const auto& [name, value] : fields) {
        if (auto appended = append(head, name, value); !appended) {
            return std::unexpected(appended.error());
        }
    }
    head += "\r\n";
    return head;
}

}  // namespace weir::embed
