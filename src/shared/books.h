// Between engines and the books that they share with others.
#pragma once

#include "net/loop.h"
#include "shared/refusals.h"
#include "shared/spendings.h"
#include "shared/store.h"

#include <weir/shared_books.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::shared {

/// Sends exchanges to the store and hands its answers on. Each exchange ends once: with an answer,
/// or without one as soon as that is known, after 50 ms at the latest. On the loop's thread.
class Books {
public:
    /// One that keeps books: an engine. In the store it is an instance of its own.
    struct Party {
        std::string instance;
        std::function<void(const BookAnswer&)> answered;
        std::function<void(std::string_view quota)> unanswered;
    };

    Books(net::Loop& loop, const SharedConfig& config, const LogSink& log);
    /// While the loop does not run. Nobody is told of what is under way.
    ~Books() { closed_ = true; }
    Books(const Books&) = delete;
    Books& operator=(const Books&) = delete;

    /// `party` outlives this.
    void send(const Party& party, std::vector<BookExchange> exchanges);

    /// What else is kept there.
    Refusals& refusals() { return refusals_; }
    Spendings& spendings() { return spendings_; }

    /// Any thread.
    const Counters& counters() const { return store_.counters(); }

private:
    void take(const Party& party, const std::string& quota,
              const std::expected<Reply, StoreFailure>& reply);

    std::string prefix_;
    LogSink log_;
    bool complained_ = false;
    bool closed_ = false;
    Store store_;
    Refusals refusals_;
    Spendings spendings_;
};

/// The key of a quota's books: what is in braces chooses the server of a cluster.
std::string key_of(std::string_view prefix, std::string_view quota);

}  // namespace weir::shared
