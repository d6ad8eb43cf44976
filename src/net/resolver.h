// Names to addresses, on one thread for the whole process.
#pragma once

#include "net/address.h"

#include <weir/time.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::net {

using Addresses = std::vector<Address>;

/// Remembers an answer for 30 s, and after that for as long as no better one can be had: a name
/// server that fails must not take down what worked. IPv6 and IPv4 come alternately. Thread-safe.
class Resolver {
public:
    using Lookup = std::function<Addresses(const std::string& name)>;  // empty: failed
    using Clock = std::function<Instant()>;
    using Answer = std::function<void(const Addresses&)>;

    explicit Resolver(Lookup lookup = {}, Clock clock = {});
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    /// The process's own.
    static Resolver& shared();

    /// Calls `answer` once: at once and on this thread if it is known (or a numeric address), else
    /// later on the resolver's thread. Empty: the name has no address.
    void resolve(const std::string& name, Answer answer);
    /// The remembered answer has turned out not to do: the next resolve() still gives it, and asks
    /// anew.
    void expire(const std::string& name);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace weir::net
