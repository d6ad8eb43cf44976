// What an SDK was refused for good at one instance, for the others that its next try may come to.
#pragma once

#include "net/loop.h"
#include "net/timer_wheel.h"
#include "shared/store.h"

#include <weir/engine.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::shared {

/// In the store of the books, in one hash: a refusal by client and invocation, until it has had its
/// time. Refusals are put in a few at a time and lost where the store is away: an invocation that
/// is not found there is a new call.
///
/// On the loop's thread.
class Refusals {
public:
    using Found = std::function<void(std::optional<PastRefusal>)>;

    /// After its end nobody is told of what is under way.
    Refusals(net::Loop& loop, Store& store, std::string_view prefix);
    Refusals(const Refusals&) = delete;
    Refusals& operator=(const Refusals&) = delete;

    void put(std::string_view client, std::string_view invocation, const PastRefusal& past);
    /// `found` is called once: after 55 ms at the latest, and in here with nothing where so many
    /// are asked for at once that the quotas' exchanges would have to wait for them.
    void find(std::string_view client, std::string_view invocation, Found found);

    /// The store's script is this, before that of the books.
    static std::string_view script();

private:
    void flush();

    Store& store_;
    std::string key_;
    std::shared_ptr<const bool> here_ = std::make_shared<bool>(true);
    std::vector<std::string> queued_;  // arguments of the script, three a refusal
    std::size_t asked_ = 0;            // not answered yet
    net::Timer timer_;
};

/// As it is stored.
std::string text_of(const PastRefusal& past);
std::optional<PastRefusal> past_refusal(std::string_view text);

}  // namespace weir::shared
