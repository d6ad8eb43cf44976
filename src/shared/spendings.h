// What clients with budgets have spent at all instances.
#pragma once

#include "policy/shared_spending.h"
#include "shared/store.h"

#include <weir/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir::shared {

/// In the store of the books: a hash a client and period with a field for each instance, which
/// holds that instance's own total, what its calls under way may cost and when it said so. The
/// store keeps the largest total of a field, so that a report that comes twice, late or after a
/// restart adds nothing. A hash is forgotten when nobody has written to it for longer than its
/// period.
///
/// On the loop's thread.
class Spendings {
public:
    using Heard = std::function<void(const policy::SpendingAnswer&)>;

    /// After its end nobody is told of what is under way.
    Spendings(Store& store, std::string_view prefix, LogSink log);
    Spendings(const Spendings&) = delete;
    Spendings& operator=(const Spendings&) = delete;

    /// `heard` is called for each report that is answered within 55 ms, for others not at all.
    void exchange(std::string_view client, std::string_view instance,
                  std::vector<policy::SpendingReport> reports, Heard heard);

    /// The store's script is this, before that of the books.
    static std::string_view script();

private:
    void take(std::string_view client, const std::vector<policy::SpendingReport>& reports,
              const std::expected<Reply, StoreFailure>& reply, const Heard& heard);
    void complain(std::string text);

    Store& store_;
    std::string prefix_;
    LogSink log_;
    bool complained_ = false;
    std::shared_ptr<const bool> here_ = std::make_shared<bool>(true);
};

/// The key of a client's hashes, without their periods.
std::string spending_key(std::string_view prefix, std::string_view client);

/// As the script says it: nullopt: it is no answer to these.
std::optional<std::vector<policy::SpendingAnswer>> spending_answers(
    const std::vector<policy::SpendingReport>& reports, const Reply& reply);

}  // namespace weir::shared
