#include "observe/life_ring.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

namespace weir::observe {
namespace {

constexpr std::size_t kLeastText = 128;  // bytes: the shortest life is longer

std::uint64_t key_of(std::string_view id) {
    return id.empty() ? 0 : std::hash<std::string_view>{}(id) | 1U;
}

const TextRing::Entry* find_in(const TextRing& ring, std::string_view id) {
    const std::uint64_t key = key_of(id);
    for (std::size_t i = ring.size(); i-- > 0;) {
        const TextRing::Entry& entry = ring.entry(i);
        if (entry.key != key && entry.other_key != key) {
            continue;
        }
        const auto life = unpack(ring.text(entry));
        if (life && (life->id == id || life->upstream_id == id)) {
            return &entry;
        }
    }
    return nullptr;
}

}  // namespace

TextRing::TextRing(std::size_t bytes, std::size_t texts)
    : capacity_(std::min<std::size_t>(bytes, std::numeric_limits<std::uint32_t>::max())),
      most_(std::min(texts, capacity_ / kLeastText)),
      bytes_(std::make_unique_for_overwrite<char[]>(capacity_)),
      entries_(std::make_unique_for_overwrite<Entry[]>(most_)) {}

void TextRing::drop_first() {
    dropped_unix_ms_ = entries_[first_].unix_ms;
    first_ = (first_ + 1) % most_;
    --count_;
}

void TextRing::add(std::uint64_t key, std::uint64_t other_key, std::int64_t unix_ms,
                   std::string_view text) {
    if (most_ == 0 || text.size() > capacity_ / 4) {
        return;
    }
    if (at_ + text.size() > capacity_) {
        while (count_ > 0 && entry(0).offset >= at_) {
            drop_first();
        }
        at_ = 0;
    }
    while (count_ == most_ ||
           (count_ > 0 && entry(0).offset >= at_ && entry(0).offset < at_ + text.size())) {
        drop_first();
    }
    std::memcpy(bytes_.get() + at_, text.data(), text.size());
    entries_[(first_ + count_) % most_] = {key, other_key, unix_ms, static_cast<std::uint32_t>(at_),
                                           static_cast<std::uint32_t>(text.size())};
    ++count_;
    at_ += text.size();
}

void Kept::add(const Kept& other) {
    requests += other.requests;
    eventful += other.eventful;
    since_unix_ms = std::max(since_unix_ms, other.since_unix_ms);
    eventful_since_unix_ms = std::max(eventful_since_unix_ms, other.eventful_since_unix_ms);
}

Lives::Lives(std::size_t bytes, std::size_t requests)
    : on_(bytes > 0 && requests > 0),
      ordinary_(bytes / 2, (requests + 1) / 2),
      eventful_(bytes / 2, (requests + 1) / 2) {}

void Lives::remember(const Life& life, bool eventful) {
    if (!on_) {
        return;
    }
    packed_.clear();
    pack(packed_, life);
    (eventful ? eventful_ : ordinary_)
        .add(key_of(life.id), key_of(life.upstream_id), life.unix_ms, packed_);
}

std::optional<std::string> Lives::find(std::string_view id) const {
    for (const TextRing* ring : {&eventful_, &ordinary_}) {
        if (const TextRing::Entry* entry = find_in(*ring, id)) {
            return std::string(ring->text(*entry));
        }
    }
    return std::nullopt;
}

Kept Lives::kept() const {
    return {ordinary_.size() + eventful_.size(), eventful_.size(), ordinary_.dropped_unix_ms(),
            eventful_.dropped_unix_ms()};
}

}  // namespace weir::observe
