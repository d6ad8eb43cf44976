// A binary heap of pointers whose elements know their place, so that any of them can leave or move.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace weir::policy {

constexpr std::uint32_t kNotInHeap = ~std::uint32_t{0};

/// The least element on top; push, update and erase in O(log n), membership in O(1).
///
/// Invariant: items_[i]->heap_pos == i, and kNotInHeap for whatever is not inside.
template <class T, class Less>
class IndexedHeap {
public:
    bool empty() const { return items_.empty(); }
    std::size_t size() const { return items_.size(); }
    T* top() const { return items_.front(); }
    const std::vector<T*>& items() const { return items_; }

    static bool contains(const T* item) { return item->heap_pos != kNotInHeap; }

    void push(T* item) {
        items_.push_back(item);
        item->heap_pos = static_cast<std::uint32_t>(items_.size() - 1);
        up(item->heap_pos);
    }

    void erase(T* item) {
        const std::uint32_t hole = item->heap_pos;
        item->heap_pos = kNotInHeap;
        T* last = items_.back();
        items_.pop_back();
        if (last != item) {
            items_[hole] = last;
            last->heap_pos = hole;
            update(last);
        }
    }

    /// To be called after what `Less` looks at has changed.
    void update(T* item) {
        up(item->heap_pos);
        down(item->heap_pos);
    }

private:
    void place(std::uint32_t at, T* item) {
        items_[at] = item;
        item->heap_pos = at;
    }

    void up(std::uint32_t at) {
        T* item = items_[at];
        while (at > 0) {
            const std::uint32_t parent = (at - 1) / 2;
            if (!less_(*item, *items_[parent])) {
                break;
            }
            place(at, items_[parent]);
            at = parent;
        }
        place(at, item);
    }

    void down(std::uint32_t at) {
        T* item = items_[at];
        const auto count = static_cast<std::uint32_t>(items_.size());
        for (;;) {
            std::uint32_t child = 2 * at + 1;
            if (child >= count) {
                break;
            }
            if (child + 1 < count && less_(*items_[child + 1], *items_[child])) {
                ++child;
            }
            if (!less_(*items_[child], *item)) {
                break;
            }
            place(at, items_[child]);
            at = child;
        }
        place(at, item);
    }

    std::vector<T*> items_;
    Less less_;
};

}  // namespace weir::policy
