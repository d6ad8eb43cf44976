#include "net/resolver.h"

#include <netdb.h>
#include <sys/socket.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace weir::net {

namespace {

constexpr Duration kFresh = std::chrono::seconds(30);
constexpr std::size_t kMostNames = 1000;

Addresses ask_system(const std::string& name) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) {
        // Loopback alone is no configured address to AI_ADDRCONFIG.
        hints.ai_flags = 0;
        if (::getaddrinfo(name.c_str(), nullptr, &hints, &list) != 0) {
            return {};
        }
    }
    Addresses found;
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
        if (const auto address = Address::from(*one->ai_addr)) {
            found.push_back(*address);
        }
    }
    ::freeaddrinfo(list);
    return found;
}

/// The system's order within each family, starting with its first choice's.
Addresses interleave(const Addresses& found) {
    if (found.empty()) {
        return {};
    }
    Addresses first;
    Addresses second;
    for (const auto& address : found) {
        (address.is_v6() == found.front().is_v6() ? first : second).push_back(address);
    }
    Addresses mixed;
    for (std::size_t i = 0; i < first.size() || i < second.size(); ++i) {
        if (i < first.size()) {
            mixed.push_back(first[i]);
        }
        if (i < second.size()) {
            mixed.push_back(second[i]);
        }
    }
    return mixed;
}

}  // namespace

struct Resolver::Impl {
    struct Name {
        Addresses addresses;
        Instant until{};
        bool asked = false;  // in the thread's list
        std::vector<Answer> waiting;
    };

    Lookup lookup;
    Clock clock;
    std::mutex mutex;
    std::condition_variable work;
    std::unordered_map<std::string, Name> names;
    std::deque<std::string> to_ask;
    bool stopping = false;
    std::thread thread;  // starts with the first name that needs it

    void run() {
        std::unique_lock lock(mutex);
        for (;;) {
            work.wait(lock, [this] { return stopping || !to_ask.empty(); });
            if (stopping) {
                return;
            }
            const std::string name = std::move(to_ask.front());
            to_ask.pop_front();
            lock.unlock();
            Addresses found = interleave(lookup(name));
            lock.lock();
            Name& entry = names[name];
            entry.asked = false;
            if (!found.empty()) {
                entry.addresses = std::move(found);
                entry.until = clock() + kFresh;
            }
            const Addresses answer = entry.addresses;
            const auto waiting = std::exchange(entry.waiting, {});
            if (answer.empty()) {
                names.erase(name);
            }
            lock.unlock();
            for (const auto& tell : waiting) {
                tell(answer);
            }
            lock.lock();
        }
    }
};

Resolver::Resolver(Lookup lookup, Clock clock) : impl_(std::make_unique<Impl>()) {
    impl_->lookup = lookup ? std::move(lookup) : ask_system;
    impl_->clock =
        clock ? std::move(clock) : [] { return Instant(std::chrono::steady_clock::now()); };
}

Resolver::~Resolver() {
    {
        const std::scoped_lock lock(impl_->mutex);
        impl_->stopping = true;
    }
    impl_->work.notify_all();
    if (impl_->thread.joinable()) {
        impl_->thread.join();
    }
}

Resolver& Resolver::shared() {
    // Never destroyed: at exit its thread may sit in a name server's timeout.
    static auto* const resolver = new Resolver();
    return *resolver;
}

void Resolver::resolve(const std::string& name, Answer answer) {
    if (const auto numeric = Address::parse(name)) {
        answer(Addresses(1, *numeric));
        return;
    }
    std::unique_lock lock(impl_->mutex);
    if (impl_->names.size() >= kMostNames && !impl_->names.contains(name)) {
        std::erase_if(impl_->names, [](const auto& entry) { return !entry.second.asked; });
    }
    if (!impl_->thread.joinable()) {
        impl_->thread = std::thread([this] { impl_->run(); });
    }
    auto& entry = impl_->names[name];
    const bool fresh = !entry.addresses.empty() && impl_->clock() < entry.until;
    if (!fresh && !entry.asked) {
        entry.asked = true;
        impl_->to_ask.push_back(name);
        impl_->work.notify_one();
    }
    if (entry.addresses.empty()) {
        entry.waiting.push_back(std::move(answer));
        return;
    }
    // Stale is good enough for this one; the next finds the new answer.
    const Addresses known = entry.addresses;
    lock.unlock();
    answer(known);
}

void Resolver::expire(const std::string& name) {
    const std::scoped_lock lock(impl_->mutex);
    if (const auto known = impl_->names.find(name); known != impl_->names.end()) {
        known->second.until = Instant();
    }
}

}  // namespace weir::net
