# Writes OUTPUT, the source of the function NAME of the namespace SPACE, which HEADER declares and which returns the bytes
# of FILE.
file(READ "${FILE}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"

namespace ${SPACE} {
namespace {
constexpr unsigned char kBytes[] = {
${bytes}};
}  // namespace

std::string_view ${NAME}() {
    return {reinterpret_cast<const char*>(kBytes), sizeof kBytes};
}

}  // namespace ${SPACE}
")
