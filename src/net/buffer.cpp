#include "net/buffer.h"

#include <algorithm>
#include <vector>

namespace weir::net {

namespace {

/// Few: enough for what one thread has in hand at a moment.
struct Spare {
    static constexpr std::size_t kMost = 32;
    std::vector<char*> blocks;
    ~Spare() {
        for (char* block : blocks) {
            delete[] block;
        }
    }
};

Spare& spare() {
    thread_local Spare ours;
    return ours;
}

char* take(std::size_t size) {
    auto& blocks = spare().blocks;
    if (size == ReadBuffer::kBlock && !blocks.empty()) {
        char* block = blocks.back();
        blocks.pop_back();
        return block;
    }
    return new char[size];
}

void give(char* block, std::size_t size) {
    auto& blocks = spare().blocks;
    if (size == ReadBuffer::kBlock && blocks.size() < Spare::kMost) {
        blocks.push_back(block);
    } else {
        delete[] block;
    }
}

}  // namespace

void ReadBuffer::make_room(std::size_t at_least) {
    if (block_ == nullptr) {
        block_ = take(at_least);
        capacity_ = at_least;
        begin_ = end_ = 0;
        return;
    }
    if (begin_ > 0) {
        std::memmove(block_, block_ + begin_, size());
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == capacity_) {
        const std::size_t larger = std::max(at_least, capacity_ * 2);
        char* block = take(larger);
        std::memcpy(block, block_, end_);
        give(block_, capacity_);
        block_ = block;
        capacity_ = larger;
    }
}

void ReadBuffer::drop() {
    if (block_ != nullptr) {
        give(block_, capacity_);
        block_ = nullptr;
        capacity_ = begin_ = end_ = 0;
    }
}

}  // namespace weir::net
