#include "aws/http_call.h"

#include "aws/text.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace weir::aws {
namespace {

/// What an answer is collected in. A callback that returns 0 ends the transfer with
/// CURLE_WRITE_ERROR.
struct Collected {
    HttpAnswer& answer;
    std::size_t most;
    std::size_t head = 0;
};

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
    auto& into = *static_cast<Collected*>(user);
    if (into.answer.body.size() + size * count > into.most) {
        return 0;
    }
    into.answer.body.append(data, size * count);
    return size * count;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
    auto& into = *static_cast<Collected*>(user);
    const std::string_view line(data, size * count);
    into.head += line.size();
    if (into.head > into.most) {
        return 0;
    }
    if (line.starts_with("HTTP/")) {
        into.answer.headers.clear();  // those of an interim answer or a proxy do not count
    } else if (const auto colon = line.find(':'); colon != std::string_view::npos) {
        into.answer.headers.emplace_back(lower(line.substr(0, colon)),
                                         trim(line.substr(colon + 1)));
    }
    return line.size();
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::atomic<bool>*>(user)->load() ? 1 : 0;
}

void init_once() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

}  // namespace

Result<HttpAnswer> perform(const HttpCall& call, const std::atomic<bool>& stop) {
    init_once();
    std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
    if (!handle) {
        return failure("libcurl gives no handle");
    }
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(nullptr, curl_slist_free_all);
    for (const std::string& header : call.headers) {
        curl_slist* longer = curl_slist_append(headers.get(), header.c_str());
        if (longer == nullptr) {
            return failure("out of memory");
        }
        if (!headers) {
            headers.reset(longer);  // later calls give the same first node
        }
    }
    HttpAnswer answer;
    Collected collected{answer, call.most_bytes};
    std::array<char, CURL_ERROR_SIZE> error{};
    CURL* curl = handle.get();
    curl_easy_setopt(curl, CURLOPT_URL, call.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error.data());
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "weir");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     static_cast<long>(call.connect_timeout.count()));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    if (call.method != "GET") {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.c_str());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(call.body.size()));
    }
    if (!call.proxy.empty()) {
        curl_easy_setopt(curl, CURLOPT_PROXY, call.proxy.c_str());
    }
    if (call.direct) {
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    }
    if (!call.verify) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    // OpenSSL reads this variable for its own store, libcurl does not.
    const char* store = std::getenv("SSL_CERT_FILE");  // NOLINT(concurrency-mt-unsafe)
    if (!call.ca.empty() || (store != nullptr && *store != '\0')) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, call.ca.empty() ? store : call.ca.c_str());
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &collected);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &collected);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stop);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) {
        std::string why = error[0] != '\0' ? error.data() : curl_easy_strerror(code);
        // Of a proxy whose password has an '@', libcurl tells the part behind it as the host.
        if (const auto at = why.rfind('@'); at != std::string::npos) {
            const auto blank = why.rfind(' ', at);
            const auto begin = blank == std::string::npos ? 0 : blank + 1;
            why.replace(begin, at - begin, "***");
        }
        return failure(excerpt(why));
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
    return answer;
}

Result<UrlParts> split_url(const std::string& url) {
    std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), curl_url_cleanup);
    if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
        return failure("not a URL");
    }
    UrlParts parts;
    for (auto [what, into] :
         {std::pair(CURLUPART_SCHEME, &parts.scheme), std::pair(CURLUPART_HOST, &parts.host)}) {
        char* text = nullptr;
        if (curl_url_get(parsed.get(), what, &text, 0) != CURLUE_OK) {
            return failure("not a URL with scheme and host");
        }
        *into = lower(text);
        curl_free(text);
    }
    if (parts.host.starts_with('[') && parts.host.ends_with(']')) {
        parts.host = parts.host.substr(1, parts.host.size() - 2);
    }
    return parts;
}

std::string HttpAnswer::header(std::string_view name) const {
    const auto found = std::ranges::find(headers, name, [](const auto& h) { return h.first; });
    return found == headers.end() ? "" : found->second;
}

std::optional<std::int64_t> parse_http_date(const std::string& text) {
    const time_t seconds = curl_getdate(text.c_str(), nullptr);
    return seconds == -1 ? std::nullopt : std::optional<std::int64_t>(seconds);
}

}  // namespace weir::aws
