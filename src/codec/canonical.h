// The canonical request of Signature Version 4. For the codec's own files.
#pragma once

#include "codec/sigv4.h"

#include <string>
#include <string_view>
#include <vector>

namespace weir::codec {

/// Appends the canonical form of a path as it stands on the wire: every byte that is not
/// unreserved or '/' is encoded, '%' too. `normalize` first drops dot segments and empty ones.
void append_canonical_path(std::string& out, std::string_view path, bool normalize);

/// Appends the canonical form of a query: each name and value encoded exactly once, sorted.
void append_canonical_query(std::string& out, std::string_view query);

/// Appends the canonical headers and, into `names`, their names with ';' between. Names are sorted
/// without case, equal ones joined with ',' in their order, runs of blanks made one space.
void append_canonical_headers(std::string& out, std::string& names,
                              const std::vector<Field>& headers);

}  // namespace weir::codec
