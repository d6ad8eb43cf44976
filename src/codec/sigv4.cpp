#include "codec/sigv4.h"

#include "codec/canonical.h"
#include "codec/digest.h"
#include "codec/http1_grammar.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <chrono>
#include <tuple>
#include <utility>
#include <vector>

namespace weir::codec {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";
constexpr std::string_view kDateHeader = "x-amz-date";
constexpr std::string_view kTokenHeader = "x-amz-security-token";
constexpr std::string_view kContentHeader = "x-amz-content-sha256";

void put_digits(char* at, unsigned value, int width) {
    for (int i = width - 1; i >= 0; --i, value /= 10)
        at[i] = static_cast<char>('0' + value % 10);
}

/// "20150830T123600Z". Times before 1970 or past the year 9999 have no such form and are clamped.
void write_amz_date(std::string& out, std::int64_t unix_seconds) {
    using namespace std::chrono;
    constexpr std::int64_t kLast = 253402300799;
    const sys_seconds time{seconds(std::clamp<std::int64_t>(unix_seconds, 0, kLast))};
    const sys_days day = floor<days>(time);
    const year_month_day date(day);
    const auto in_day = static_cast<unsigned>((time - day).count());
    out = "00000000T000000Z";
    put_digits(&out[0], static_cast<unsigned>(static_cast<int>(date.year())), 4);
    put_digits(&out[4], static_cast<unsigned>(date.month()), 2);
    put_digits(&out[6], static_cast<unsigned>(date.day()), 2);
    put_digits(&out[9], in_day / 3600, 2);
    put_digits(&out[11], in_day / 60 % 60, 2);
    put_digits(&out[13], in_day % 60, 2);
}

/// Text that is erased when dropped.
struct Secret {
    explicit Secret(std::string_view from) : text(from) {}
    Secret(Secret&& other) noexcept : text(std::move(other.text)) { other.erase(); }
    Secret& operator=(Secret&& other) noexcept {
        text.swap(other.text);
        return *this;
    }
    ~Secret() { erase(); }
    void erase() { OPENSSL_cleanse(text.data(), text.capacity()); }
    std::string text;
};

HmacKey derive_key(std::string_view secret, std::string_view date, std::string_view region,
                   std::string_view service) {
    Secret prefixed("AWS4");
    prefixed.text.reserve(4 + secret.size());
    prefixed.text += secret;
    Digest key = hmac_sha256(prefixed.text, date);
    for (std::string_view part : {region, service, kTerminator})
        key = hmac_sha256(as_text(key), part);
    HmacKey derived(as_text(key));
    OPENSSL_cleanse(key.data(), key.size());
    return derived;
}

/// What signatures of one second have in common if only their bodies differ: under load, nearly all
/// of a target's. The texts and the hashes of them are kept up to where the body's digest stands,
/// which is at the end of each.
class Recent {
public:
    /// `out` up to there; `key` is the day's.
    Recent(const SigningRequest& request, const SigningCredentials& credentials,
           std::string_view region, std::int64_t second, const SigningOptions& options,
           Signature out, const HmacKey& key)
        : second_(second),
          reusable_(!options.sign_body_header),
          normalize_(options.normalize_path),
          method_(request.method),
          target_(request.target),
          region_(region),
          access_key_id_(credentials.access_key_id),
          secret_(credentials.secret_access_key),
          token_(credentials.session_token),
          key_(key.after(out.string_to_sign)),
          out_(std::move(out)) {
        for (const auto& [name, value] : request.headers)
            headers_.emplace_back(name, value);
        request_.update(out_.canonical_request);
        for (std::string* text :
             {&out_.canonical_request, &out_.string_to_sign, &out_.authorization, &out_.signature})
            text->reserve(text->size() + kHex);  // so that sign() cannot stop half way
    }

    bool serves(const SigningRequest& request, const SigningCredentials& credentials,
                std::string_view region, std::int64_t second, const SigningOptions& options) const {
        const auto same = [](const auto& kept, const Field& field) {
            return kept.first == field.name && kept.second == field.value;
        };
        return second_ == second && reusable_ && !options.sign_body_header &&
               normalize_ == options.normalize_path && target_ == request.target &&
               method_ == request.method && region_ == region &&
               access_key_id_ == credentials.access_key_id &&
               secret_.text == credentials.secret_access_key &&
               token_.text == credentials.session_token &&
               std::ranges::equal(headers_, request.headers, same);
    }

    const Signature& sign(const Digest& body) {
        const auto end_with = [this](std::string& text, const Digest& digest) {
            if (ended_)
                text.resize(text.size() - kHex);
            append_hex(text, digest);
            return std::string_view(text).substr(text.size() - kHex);
        };
        Sha256 request = request_;
        request.update(end_with(out_.canonical_request, body));
        const Digest sum = key_.sum(end_with(out_.string_to_sign, request.finish()));
        out_.signature = end_with(out_.authorization, sum);
        ended_ = true;
        return out_;
    }

private:
    static constexpr std::size_t kHex = 2 * std::tuple_size_v<Digest>;

    std::int64_t second_;
    bool reusable_;
    bool normalize_;
    std::string method_;
    std::string target_;
    std::string region_;
    std::string access_key_id_;
    Secret secret_;
    Secret token_;
    std::vector<std::pair<std::string, std::string>> headers_;
    Sha256 request_;
    HmacKey key_;
    Signature out_;
    bool ended_ = false;  // the texts have a digest
};

/// Up to kMost of them; the oldest gives way.
template <class T, std::size_t kMost>
class Ring {
public:
    auto begin() { return kept_.begin(); }
    auto end() { return kept_.end(); }
    T& add(T fresh) {
        if (kept_.size() < kMost)
            return kept_.emplace_back(std::move(fresh));
        T& replaced = kept_[next_];
        next_ = (next_ + 1) % kMost;
        return replaced = std::move(fresh);
    }

private:
    std::vector<T> kept_;
    std::size_t next_ = 0;
};

}  // namespace

struct Signer::Cache {
    struct DayKey {
        Secret secret;
        std::string date;
        std::string region;
        HmacKey key;
    };
    Ring<DayKey, 64> keys;  // one a Region and set of credentials in use
    Ring<Recent, 8> recent;

    const HmacKey& find(std::string_view secret, std::string_view date, std::string_view region,
                        std::string_view service) {
        for (const DayKey& one : keys)
            if (one.date == date && one.region == region && one.secret.text == secret)
                return one.key;
        return keys
            .add({Secret(secret), std::string(date), std::string(region),
                  derive_key(secret, date, region, service)})
            .key;
    }
};

Signer::Signer(std::string service)
    : cache_(std::make_unique<Cache>()), service_(std::move(service)) {}
Signer::~Signer() = default;
Signer::Signer(Signer&&) noexcept = default;
Signer& Signer::operator=(Signer&&) noexcept = default;

const Signature& Signer::sign(const SigningRequest& request, const SigningCredentials& credentials,
                              std::string_view region, std::int64_t unix_seconds,
                              const SigningOptions& options) {
    for (Recent& one : cache_->recent)
        if (one.serves(request, credentials, region, unix_seconds, options))
            return one.sign(request.body);

    Signature out;
    write_amz_date(out.amz_date, unix_seconds);
    if (options.sign_body_header)
        append_hex(out.content_sha256, request.body);

    // What weir adds stands in for what the caller may have left in.
    std::vector<Field> headers;
    headers.push_back({kDateHeader, out.amz_date});
    if (!credentials.session_token.empty())
        headers.push_back({kTokenHeader, credentials.session_token});
    if (options.sign_body_header)
        headers.push_back({kContentHeader, out.content_sha256});
    const std::size_t added = headers.size();
    for (const Field& header : request.headers) {
        const auto end = headers.begin() + static_cast<std::ptrdiff_t>(added);
        if (std::none_of(headers.begin(), end, [&](const Field& ours) {
                return equals_ignore_case(ours.name, header.name);
            }))
            headers.push_back(header);
    }

    const std::size_t question = std::min(request.target.find('?'), request.target.size());
    std::string names;
    std::string& canonical = out.canonical_request;
    canonical += request.method;
    canonical += '\n';
    append_canonical_path(canonical, request.target.substr(0, question), options.normalize_path);
    canonical += '\n';
    if (question < request.target.size())
        append_canonical_query(canonical, request.target.substr(question + 1));
    canonical += '\n';
    append_canonical_headers(canonical, names, headers);
    canonical += '\n';
    canonical += names;
    canonical += '\n';

    const std::string_view date = std::string_view(out.amz_date).substr(0, 8);
    std::string scope(date);
    for (std::string_view part : {region, std::string_view(service_), kTerminator}) {
        scope += '/';
        scope += part;
    }

    std::string& to_sign = out.string_to_sign;
    to_sign = kAlgorithm;
    to_sign += '\n';
    to_sign += out.amz_date;
    to_sign += '\n';
    to_sign += scope;
    to_sign += '\n';

    std::string& header = out.authorization;
    header = kAlgorithm;
    header += " Credential=";
    header += credentials.access_key_id;
    header += '/';
    header += scope;
    header += ", SignedHeaders=";
    header += names;
    header += ", Signature=";

    const HmacKey& key = cache_->find(credentials.secret_access_key, date, region, service_);
    Recent fresh(request, credentials, region, unix_seconds, options, std::move(out), key);
    return cache_->recent.add(std::move(fresh)).sign(request.body);
}

std::optional<ParsedAuthorization> parse_authorization(std::string_view value) {
    if (!value.starts_with(kAlgorithm) || value.size() == kAlgorithm.size() ||
        !grammar::is_blank(value[kAlgorithm.size()]))
        return std::nullopt;
    std::string_view credential;
    ParsedAuthorization out;
    bool sound = true;
    grammar::each_element(value.substr(kAlgorithm.size()), [&](std::string_view element) {
        const auto take = [&](std::string_view prefix, std::string_view& into) {
            if (!element.starts_with(prefix))
                return false;
            sound = sound && into.empty();  // said twice
            into = element.substr(prefix.size());
            return true;
        };
        sound = (take("Credential=", credential) || take("SignedHeaders=", out.signed_headers) ||
                 take("Signature=", out.signature)) &&
                sound;
    });
    for (std::string_view* part : {&out.access_key_id, &out.date, &out.region, &out.service}) {
        const std::size_t slash = credential.find('/');
        if (slash == std::string_view::npos || slash == 0)
            return std::nullopt;
        *part = credential.substr(0, slash);
        credential.remove_prefix(slash + 1);
    }
    if (!sound || credential != kTerminator || out.signed_headers.empty() ||
        out.signature.empty() || out.date.size() != 8 ||
        !std::ranges::all_of(out.date, grammar::is_digit))
        return std::nullopt;
    return out;
}

}  // namespace weir::codec
