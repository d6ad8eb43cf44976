// ${NAME} from the environment and ${file:/path} from the disk, in scalar values.

#include "cli/read_text.h"
#include "cli/yaml_tree.h"

namespace weir::cli {

namespace {

constexpr std::string_view kFile = "file:";
constexpr std::size_t kMostSecret = 64UL << 10;
constexpr std::size_t kMostValue = 1UL << 20;

bool is_name(std::string_view text) {
    if (text.empty() || (text.front() >= '0' && text.front() <= '9'))
        return false;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return true;
}

// What stands between `${` and `}`, or why it gives nothing.
Result<std::string> value_of(const std::string& inner, const Getenv& getenv) {
    if (inner.starts_with(kFile)) {
        const std::string path = inner.substr(kFile.size());
        if (path.empty())
            return failure("${file:} names no file; write ${file:/path/to/it}");
        auto text = read_text(path, kMostSecret, true);
        if (!text)
            return failure("cannot read " + path + ": " + text.error().message);
        while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
            text->pop_back();
        if (text->find('\0') != std::string::npos)
            return failure(path + " holds a NUL byte; allowed is text");
        return text;
    }
    if (!is_name(inner))
        return failure("${" + inner.substr(0, 60) +
                       "} is neither ${NAME} of an environment variable nor ${file:/path}; write "
                       "$${ for a plain ${");
    auto value = getenv ? getenv(inner) : std::nullopt;
    if (!value)
        return failure("the environment variable " + inner + " is not set");
    return *value;
}

void substitute_scalar(YamlNode& node, const Getenv& getenv, Complaints& complaints,
                       std::vector<std::string>& files) {
    const std::string source = std::move(node.text);
    node.text.clear();
    std::size_t at = 0;
    while (at < source.size()) {
        const std::size_t dollar = source.find('$', at);
        node.text.append(source, at, dollar - at);
        if (dollar == std::string::npos)
            return;
        if (source.compare(dollar, 3, "$${") == 0) {
            node.text += "${";
            at = dollar + 3;
        } else if (source.compare(dollar, 2, "${") == 0) {
            const std::size_t end = source.find('}', dollar);
            node.substituted = true;
            if (end == std::string::npos) {
                complaints.add(node.place, "`${` without its `}`; write $${ for a plain ${");
                node.unresolved = true;
                return;
            }
            const std::string inner = source.substr(dollar + 2, end - dollar - 2);
            if (inner.starts_with(kFile))
                files.push_back(inner.substr(kFile.size()));
            auto value = value_of(inner, getenv);
            if (!value) {
                complaints.add(node.place, value.error().message);
                node.unresolved = true;
            } else if (node.text.size() + value->size() > kMostValue) {
                complaints.add(node.place, "this value grows beyond 1 MiB");
                node.unresolved = true;
                return;
            } else {
                complaints.hide(*value, "${" + inner + "}");
                node.text += *value;
            }
            at = end + 1;
        } else {
            node.text += '$';
            at = dollar + 1;
        }
    }
}

}  // namespace

void substitute(YamlNode& node, const Getenv& getenv, Complaints& complaints,
                std::vector<std::string>& files) {
    if (node.kind == YamlNode::Kind::scalar && node.text.find("${") != std::string::npos)
        substitute_scalar(node, getenv, complaints, files);
    for (YamlNode& item : node.items)
        substitute(item, getenv, complaints, files);
}

}  // namespace weir::cli
