#include "gateway/admin_page.h"

#include "gateway/admin.h"

namespace weir::gateway {

std::string page_policy(std::string_view html) {
    constexpr std::string_view kBefore = "http-equiv=\"Content-Security-Policy\" content=\"";
    std::string policy = "frame-ancestors 'none'";
    const auto found = html.find(kBefore);
    if (found == std::string_view::npos) {
        return policy + "; default-src 'none'";
    }
    const auto text = html.substr(found + kBefore.size());
    return policy.append("; ").append(text.substr(0, text.find('"')));
}

net::Task<void> answer_page(net::Downstream& downstream) {
    const auto& method = downstream.head().method;
    if (method != "GET" && method != "HEAD") {
        co_await refuse_admin(downstream, 405, "ValidationException",
                              "weir: the page is read with GET");
        co_return;
    }
    static const std::string fields =
        "Content-Type: text/html; charset=utf-8\r\nCache-Control: no-cache\r\n"
        "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
        "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n"
        "Content-Security-Policy: " +
        page_policy(page_html()) + "\r\n";
    co_await downstream.send(200, fields, page_html());
}

}  // namespace weir::gateway
