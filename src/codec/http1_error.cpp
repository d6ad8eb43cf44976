#include "codec/http1.h"

namespace weir::codec {

std::string_view to_string(Http1Error error) {
    switch (error) {
        case Http1Error::head_too_large:
            return "the head is too large";
        case Http1Error::too_many_fields:
            return "too many header fields";
        case Http1Error::bad_request_line:
            return "malformed request line";
        case Http1Error::bad_status_line:
            return "malformed status line";
        case Http1Error::bad_version:
            return "neither HTTP/1.0 nor HTTP/1.1";
        case Http1Error::bad_method:
            return "malformed method";
        case Http1Error::bad_target:
            return "malformed request target";
        case Http1Error::bad_field_name:
            return "malformed field name";
        case Http1Error::bad_field_value:
            return "control byte in a field value";
        case Http1Error::bad_line_end:
            return "a line does not end with CR LF";
        case Http1Error::obs_fold:
            return "folded field value";
        case Http1Error::both_lengths:
            return "both Content-Length and Transfer-Encoding";
        case Http1Error::bad_content_length:
            return "malformed or repeated Content-Length";
        case Http1Error::bad_transfer_encoding:
            return "Transfer-Encoding other than chunked";
        case Http1Error::bad_host:
            return "missing, repeated or malformed Host";
        case Http1Error::bad_chunk:
            return "malformed chunk";
        case Http1Error::bad_trailer:
            return "malformed, forbidden or too long trailer";
        case Http1Error::truncated:
            return "the stream ended inside a message";
    }
    return "unknown";
}

}  // namespace weir::codec
