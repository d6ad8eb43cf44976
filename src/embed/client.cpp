#include "bedrock/model_data.h"
#include "codec/eventstream.h"
#include "codec/http1.h"
#include "embed/local_call.h"
#include "embed/request_head.h"
#include "gateway/gateway.h"
#include "gateway/process_keys.h"

#include <weir/client.h>

#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace weir {
namespace {

/// A time that can be added to now.
constexpr Duration kLongestGrace = std::chrono::hours(24 * 365);

/// As a gateway without listeners has it; or every problem, one a line.
Result<Config> without_listeners(Config config) {
    const Config defaults;
    config.listen = defaults.listen;
    config.admin.clear();
    config.open = false;
    config.tls.reset();
    for (ClientConfig& client : config.clients) {  // names are enough, without a connection between
        client.key_sha256.clear();
        client.access_key_id.clear();
        client.secret_access_key.clear();
    }
    config.workers = std::max<std::size_t>(config.workers, 1);
    if (config.models.empty()) {
        config.models = bedrock::builtin_models();
    }
    if (config.default_region.empty()) {
        if (auto named = gateway::region_of_environment(config, gateway::process_variable)) {
            config.default_region = std::move(named->region);
        }
    }
    std::string wrong;
    for (const Problem& problem : validate(config)) {
        wrong += (wrong.empty() ? "" : "\n") + problem.path + ": " + problem.message;
    }
    if (!wrong.empty()) {
        return failure(std::move(wrong));
    }
    config.listen.clear();
    return config;
}

/// Threads that begin meanwhile leave every signal to the program's own.
class NoSignals {
public:
    NoSignals() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

private:
    sigset_t before_;
};

/// Events out of pieces that end anywhere.
class Events {
public:
    explicit Events(const Client::OnEvent& take) : take_(take) {}

    bool operator()(std::string_view piece) {
        std::string_view bytes = piece;
        if (!held_.empty()) {
            held_ += piece;
            bytes = held_;
        }
        bool more = true;
        while (more) {
            const auto read = codec::read_event(bytes, message_);
            if (!read) {
                sound_ = false;
                return false;
            }
            if (!*read) {
                break;
            }
            more = tell();
            bytes.remove_prefix(**read);
        }
        held_ = std::string(bytes);
        return more;
    }

    /// False: this is no event stream. Of those that are, weir has verified each message.
    bool sound() const { return sound_; }

private:
    bool tell() {
        Client::Event event;
        event.exception = message_.message_type() == "exception";
        event.type = event.exception ? message_.exception_type() : message_.event_type();
        event.payload = message_.payload;
        return take_(event);
    }

    const Client::OnEvent& take_;
    codec::EventMessage message_;
    std::string held_;
    bool sound_ = true;
};

}  // namespace

struct Client::Impl {
    Impl(Config config, gateway::GatewayOptions options)
        : gateway(std::move(config), std::move(options)) {}

    Result<Response> call(const Request& request, bool pieces, const Piece& take,
                          const std::stop_token& cancel);

    gateway::Gateway gateway;
    std::mutex mutex;
    std::condition_variable all_returned;
    std::size_t under_way = 0;  // guarded by mutex
    bool stopped = false;       // guarded by mutex
    std::once_flag ended;

    /// The gateway stays while one of these does.
    class UnderWay {
    public:
        explicit UnderWay(Impl& impl) : impl_(impl) {}
        ~UnderWay() {
            const std::scoped_lock lock(impl_.mutex);
            if (--impl_.under_way == 0) {
                impl_.all_returned.notify_all();
            }
        }
        UnderWay(const UnderWay&) = delete;
        UnderWay& operator=(const UnderWay&) = delete;

    private:
        Impl& impl_;
    };
};

std::string_view Client::Response::field(std::string_view name) const {
    const auto found = std::ranges::find_if(
        fields, [name](const auto& field) { return codec::equals_ignore_case(field.first, name); });
    return found == fields.end() ? std::string_view() : found->second;
}

Result<Client> Client::create(Config config, ClientOptions options) {
    auto good = without_listeners(std::move(config));
    if (!good) {
        return std::unexpected(good.error());
    }
    gateway::GatewayOptions gateway_options;
    if (!options.log) {
        options.log = [](LogLevel, std::string_view) {};
    }
    gateway_options.make_keys = gateway::process_keys(options.log);
    gateway_options.log = std::move(options.log);
    std::random_device device;
    gateway_options.seed = options.seed ? *options.seed : std::uint64_t{device()} << 32 | device();
    auto impl = std::make_unique<Impl>(std::move(*good), std::move(gateway_options));
    const NoSignals none;
    if (auto started = impl->gateway.start(); !started) {
        return std::unexpected(started.error());
    }
    return Client(std::move(impl));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;

Client& Client::operator=(Client&& other) noexcept {
    if (this != &other) {
        stop();
        impl_ = std::move(other.impl_);
    }
    return *this;
}

Client::~Client() {
    stop();
}

Result<Client::Response> Client::Impl::call(const Request& request, bool pieces, const Piece& take,
                                            const std::stop_token& cancel) {
    auto head = embed::request_head(request);
    if (!head) {
        return std::unexpected(head.error());
    }
    {
        const std::scoped_lock lock(mutex);
        if (stopped) {
            return failure("this Client has been stopped");
        }
        ++under_way;
    }
    const UnderWay guard(*this);
    auto made = embed::LocalCall::make(gateway.next_loop(), std::move(*head), request.body, pieces);
    if (!made) {
        return std::unexpected(made.error());
    }
    embed::LocalCall& call = **made;
    gateway.serve(*made);
    const std::stop_callback leaving(cancel, [&call] { call.cancel(); });
    return call.follow(take);
}

Result<Client::Response> Client::send(const Request& request, const std::stop_token& cancel) {
    return impl_->call(request, false, {}, cancel);
}

Result<Client::Response> Client::stream(const Request& request, const Piece& take,
                                        const std::stop_token& cancel) {
    return impl_->call(request, true, take, cancel);
}

Result<Client::Response> Client::events(const Request& request, const OnEvent& take,
                                        const std::stop_token& cancel) {
    Events decoded(take);
    auto response =
        stream(request, [&decoded](std::string_view piece) { return decoded(piece); }, cancel);
    if (!decoded.sound()) {
        return failure("the answer to " + request.operation + request.path +
                       " is no event stream: read it with stream() or send()");
    }
    return response;
}

Result<Client::Response> Client::converse(std::string model, std::string body,
                                          const std::stop_token& cancel) {
    Request request;
    request.model = std::move(model);
    request.body = std::move(body);
    return send(request, cancel);
}

Result<Client::Response> Client::converse_stream(std::string model, std::string body,
                                                 const OnEvent& take,
                                                 const std::stop_token& cancel) {
    Request request;
    request.model = std::move(model);
    request.operation = "converse-stream";
    request.body = std::move(body);
    return events(request, take, cancel);
}

Result<void> Client::reconfigure(Config config) {
    const NoSignals none;  // new credentials have threads
    const auto taken = impl_->gateway.reload(without_listeners(std::move(config)), "the program");
    if (!taken) {
        return std::unexpected(taken.error());
    }
    return {};
}

Status Client::status() const {
    return impl_->gateway.status();
}

std::string Client::metrics() const {
    return impl_->gateway.metrics();
}

void Client::stop(Duration grace) {
    if (impl_ == nullptr) {
        return;
    }
    std::call_once(impl_->ended, [&] {
        std::unique_lock lock(impl_->mutex);
        impl_->stopped = true;
        const auto none_left = [this] { return impl_->under_way == 0; };
        if (!impl_->all_returned.wait_for(lock, std::min(grace, kLongestGrace), none_left)) {
            impl_->gateway.end_calls();
            impl_->all_returned.wait(lock, none_left);
        }
        lock.unlock();
        impl_->gateway.stop();
    });
}

}  // namespace weir
