#include "cli/explain_command.h"

#include "aws/json_read.h"
#include "observe/figures.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>

namespace weir::cli {
namespace {

using Json = nlohmann::json;

using aws::member;

std::string text_of(const Json& value, const char* otherwise = "-") {
    return value.is_string() ? value.get<std::string>() : otherwise;
}

std::string count_of(const Json& value) {
    return value.is_number() ? observe::grouped(std::max(value.get<double>(), 0.0)) : "-";
}

std::string seconds_of(const Json& ms) {
    return ms.is_number() ? fmt::format("{:.3f}", ms.get<double>() / 1000) : "-";
}

std::string place_of(const Json& step) {
    return text_of(member(step, "region")) + "/" + text_of(member(step, "model"));
}

std::string limit_of(const Json& step) {
    const Json& limit = member(step, "limit");
    if (!limit.is_object()) {
        return "";
    }
    return fmt::format("  {} {} of {}, needed {}", text_of(member(limit, "kind")),
                       count_of(member(limit, "used")), count_of(member(limit, "limit")),
                       count_of(member(limit, "needed")));
}

std::string details_of(const Json& step) {
    const std::string kind = text_of(member(step, "step"));
    if (kind == "wait") {
        return fmt::format("{}  {}{}; before it {} calls, {} tokens",
                           text_of(member(step, "because")), place_of(step), limit_of(step),
                           count_of(member(step, "calls_before")),
                           count_of(member(step, "tokens_before")));
    }
    if (kind == "refusal") {
        return fmt::format("{}  {}{}", text_of(member(step, "because")), place_of(step),
                           limit_of(step));
    }
    return fmt::format(
        "{}  {}  held {}  {} {} {}", text_of(member(step, "choice")), place_of(step),
        count_of(member(step, "reserved")), text_of(member(step, "result")),
        member(step, "status").is_number() ? std::to_string(member(step, "status").get<int>()) : "",
        text_of(member(step, "error"), ""));
}

void append_steps(std::string& text, const Json& steps) {
    if (!steps.is_array() || steps.empty()) {
        return;
    }
    text += "\nSteps, in seconds since it arrived:\n";
    text += fmt::format("  {:>9} {:>9}  {:8} {}\n", "from", "to", "", "");
    for (const Json& step : steps) {
        std::string line = fmt::format(
            "  {:>9} {:>9}  {:8} {}", seconds_of(member(step, "from_ms")),
            seconds_of(member(step, "to_ms")), text_of(member(step, "step")), details_of(step));
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
}

void append_figures(std::string& text, const char* title, const Json& figures) {
    if (!figures.is_object()) {
        return;
    }
    text += fmt::format("\n{}:\n", title);
    for (const auto& [name, value] : figures.items()) {
        if (!value.is_null()) {
            text +=
                fmt::format("  {:<20} {}\n", name,
                            value.is_number_unsigned() && !name.ends_with("_ms")
                                ? count_of(value)
                                : (value.is_string() ? value.get<std::string>() : value.dump()));
        }
    }
}

}  // namespace

std::string explain_text(const std::string& json) {
    const Json told = Json::parse(json, nullptr, false);
    std::string text;
    for (const Json& sentence : member(told, "sentences")) {
        text += text_of(sentence) + "\n";
    }
    const Json& faster = member(told, "faster");
    if (faster.is_array() && !faster.empty()) {
        text += "\nWhat would have been faster:\n";
        for (const Json& one : faster) {
            text += "  - " + text_of(member(one, "text")) + "\n";
        }
    }
    append_steps(text, member(told, "steps"));
    append_figures(text, "Estimate, in tokens", member(told, "estimate"));
    append_figures(text, "Settlement, in tokens", member(told, "settlement"));
    append_figures(text, "Times", member(told, "times"));
    return text;
}

int run_explain(const ExplainOptions& options, const Getenv& getenv, std::ostream& out,
                std::ostream& err) {
    const auto url = admin_url(options.admin, getenv);
    if (!url) {
        err << "weir explain: " << url.error().message << '\n';
        return 2;
    }
    const bool odd = options.id.empty() || !std::ranges::all_of(options.id, [](char c) {
                         return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
                     });
    if (odd) {
        err << "weir explain: the id is the value of an answer's x-weir-request-id or "
               "x-amzn-RequestId\n";
        return 2;
    }
    const auto answer = ask_admin(*url, {.path = "/explain/" + options.id}, getenv);
    if (!answer) {
        err << "weir explain: " << answer.error().message << '\n';
        return 1;
    }
    if (answer->status != 200) {
        err << "weir explain: " << answer->message() << '\n';
        return 1;
    }
    out << (options.json ? answer->body + "\n" : explain_text(answer->body));
    return 0;
}

}  // namespace weir::cli
