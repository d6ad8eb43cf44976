// The lives of recent requests, in bounded memory.
#pragma once

#include "observe/life.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir::observe {

/// Texts in a fixed piece of memory; the newest push out the oldest. Nothing is allocated after the
/// construction, and memory that was never written to is never touched.
class TextRing {
public:
    TextRing(std::size_t bytes, std::size_t texts);

    struct Entry {
        std::uint64_t key = 0;
        std::uint64_t other_key = 0;  ///< 0: none
        std::int64_t unix_ms = 0;
        std::uint32_t offset = 0;
        std::uint32_t size = 0;
    };

    /// A text that is larger than a quarter of the memory is not kept.
    void add(std::uint64_t key, std::uint64_t other_key, std::int64_t unix_ms,
             std::string_view text);

    std::size_t size() const { return count_; }
    /// The newest is at size() - 1.
    const Entry& entry(std::size_t i) const { return entries_[(first_ + i) % most_]; }
    std::string_view text(const Entry& entry) const {
        return {bytes_.get() + entry.offset, entry.size};
    }

    /// Of the newest that was pushed out; 0: none was.
    std::int64_t dropped_unix_ms() const { return dropped_unix_ms_; }

private:
    void drop_first();

    std::size_t capacity_;
    std::size_t most_;
    std::unique_ptr<char[]> bytes_;
    std::unique_ptr<Entry[]> entries_;
    std::size_t at_ = 0;     // the next text goes here
    std::size_t first_ = 0;  // index of the oldest entry
    std::size_t count_ = 0;
    std::int64_t dropped_unix_ms_ = 0;
};

/// What is kept, and since when.
struct Kept {
    std::uint64_t requests = 0;
    std::uint64_t eventful = 0;      ///< of those: see remember()
    std::int64_t since_unix_ms = 0;  ///< all since then; 0: all since the start
    std::int64_t eventful_since_unix_ms = 0;

    void add(const Kept& other);
};

/// Requests that waited, failed, were refused or sent elsewhere are asked about, and are few among
/// the others: they have half of the memory for themselves.
class Lives {
public:
    Lives(std::size_t bytes, std::size_t requests);

    bool on() const { return on_; }
    void remember(const Life& life, bool eventful);
    /// By weir's id or the service's. Packed.
    std::optional<std::string> find(std::string_view id) const;
    Kept kept() const;
    /// Shows `visit` the eventful ones or the others, packed, until it returns false. True: it has
    /// seen all.
    template <class Visit>
    bool newest_first(bool eventful, Visit visit) const {
        const TextRing& ring = eventful ? eventful_ : ordinary_;
        for (std::size_t i = ring.size(); i-- > 0;) {
            if (!visit(ring.text(ring.entry(i)))) {
                return false;
            }
        }
        return true;
    }

private:
    bool on_;
    TextRing ordinary_;
    TextRing eventful_;
    std::string packed_;  // keeps its memory
};

}  // namespace weir::observe
