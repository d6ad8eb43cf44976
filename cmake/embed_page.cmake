# Writes OUTPUT, the source of page_html(), which returns the bytes of FILE.
file(READ "${FILE}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"gateway/admin_page.h\"

namespace weir::gateway {
namespace {
constexpr unsigned char kPage[] = {
${bytes}};
}  // namespace

std::string_view page_html() {
    return {reinterpret_cast<const char*>(kPage), sizeof kPage};
}

}  // namespace weir::gateway
")
