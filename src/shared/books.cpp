#include "shared/books.h"

#include "shared/books_script.h"
#include "shared/books_wire.h"

#include <algorithm>
#include <utility>

namespace weir::shared {

std::string key_of(std::string_view prefix, std::string_view quota) {
    std::string name(quota);
    std::ranges::replace_if(name, [](char c) { return c == '{' || c == '}'; }, '_');
    return std::string(prefix) + ":{" + name + "}";
}

Books::Books(net::Loop& loop, const SharedConfig& config, const LogSink& log)
    : prefix_(config.prefix),
      log_(log),
      store_(loop, config,
             std::string(Spendings::script()).append(Refusals::script()).append(books_script()),
             log),
      refusals_(loop, store_, config.prefix),
      spendings_(store_, config.prefix, log) {}

void Books::send(const Party& party, std::vector<BookExchange> exchanges) {
    for (BookExchange& exchange : exchanges) {
        Store::Call call{key_of(prefix_, exchange.quota), arguments(party.instance, exchange)};
        store_.call(std::move(call),
                    [this, &party, quota = std::move(exchange.quota)](
                        std::expected<Reply, StoreFailure> reply) { take(party, quota, reply); });
    }
}

void Books::take(const Party& party, const std::string& quota,
                 const std::expected<Reply, StoreFailure>& reply) {
    if (closed_) {
        return;
    }
    if (!reply) {
        party.unanswered(quota);
        return;
    }
    const auto answer = answer_of(quota, *reply);
    if (!answer) {
        // Another version's script, or a stranger's: the store's own words say nothing on that.
        if (log_ && !std::exchange(complained_, true)) {
            log_(LogLevel::warn, "shared: " + answer.error() + "; this instance counts alone");
        }
        party.unanswered(quota);
        return;
    }
    complained_ = false;
    party.answered(*answer);
}

}  // namespace weir::shared
