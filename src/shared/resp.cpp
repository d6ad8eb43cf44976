#include "shared/resp.h"

#include <hiredis/hiredis.h>

#include <new>
#include <utility>

namespace weir::shared {

void append_command(std::string& out, std::span<const std::string_view> words) {
    thread_local std::vector<const char*> texts;
    thread_local std::vector<std::size_t> sizes;
    texts.clear();
    sizes.clear();
    for (const std::string_view word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    char* bytes = nullptr;
    const auto size = ::redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), texts.data(),
                                               sizes.data());
    if (size < 0) {
        throw std::bad_alloc();
    }
    out.append(bytes, static_cast<std::size_t>(size));
    ::redisFreeCommand(bytes);
}

/// hiredis parses and calls back; the values are ours. The root lives here, children in their
/// parent's list, which does not grow while one of them is incomplete: pointers stay good.
struct ReplyReader::Impl {
    Impl() : reader(::redisReaderCreateWithFunctions(&functions())) {
        if (reader == nullptr) {
            throw std::bad_alloc();
        }
        reader->privdata = this;
    }
    ~Impl() { ::redisReaderFree(reader); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    /// Where the value of this task goes; null: more items than a reply may have.
    static Reply* place(const redisReadTask* task, Reply::Kind kind) {
        auto& self = *static_cast<Impl*>(task->privdata);
        if (++self.items > kMostItems) {
            self.complaint = "a reply of too many items";
            return nullptr;
        }
        Reply* at = &self.root;
        if (task->parent != nullptr) {
            at = &static_cast<Reply*>(task->parent->obj)->items.emplace_back();
        }
        at->kind = kind;
        return at;
    }
    static void* make_text(const redisReadTask* task, char* bytes, std::size_t size) {
        const bool error = task->type == REDIS_REPLY_ERROR;
        Reply* at = place(task, error ? Reply::Kind::error : Reply::Kind::text);
        if (at != nullptr) {
            at->text.assign(bytes, size);
        }
        return at;
    }
    static void* make_array(const redisReadTask* task, int size) {
        if (size < 0 || static_cast<std::size_t>(size) > kMostItems) {
            static_cast<Impl*>(task->privdata)->complaint = "a reply of too many items";
            return nullptr;
        }
        return place(task, Reply::Kind::array);
    }
    static void* make_integer(const redisReadTask* task, long long value) {
        Reply* at = place(task, Reply::Kind::integer);
        if (at != nullptr) {
            at->integer = value;
        }
        return at;
    }
    static void* make_nil(const redisReadTask* task) { return place(task, Reply::Kind::nil); }
    static void free_nothing(void* /*reply*/) {}

    static redisReplyObjectFunctions& functions() {
        static redisReplyObjectFunctions all{make_text, make_array, make_integer, make_nil,
                                             free_nothing};
        return all;
    }

    redisReader* reader;
    Reply root;
    std::size_t items = 0;
    std::size_t bytes = 0;  // fed since the last whole reply
    std::string complaint;
};

ReplyReader::ReplyReader() : impl_(std::make_unique<Impl>()) {}

ReplyReader::~ReplyReader() = default;

void ReplyReader::feed(std::string_view bytes) {
    if (!impl_->complaint.empty()) {
        return;
    }
    impl_->bytes += bytes.size();
    if (::redisReaderFeed(impl_->reader, bytes.data(), bytes.size()) != REDIS_OK) {
        impl_->complaint = impl_->reader->errstr;
    }
}

std::expected<std::optional<Reply>, std::string> ReplyReader::next() {
    Impl& self = *impl_;
    if (!self.complaint.empty()) {
        return std::unexpected(self.complaint);
    }
    void* whole = nullptr;
    if (::redisReaderGetReply(self.reader, &whole) != REDIS_OK) {
        if (self.complaint.empty()) {
            self.complaint = self.reader->errstr;
        }
        return std::unexpected(self.complaint);
    }
    if (whole == nullptr) {
        if (self.bytes > kMostBytes) {
            self.complaint = "a reply that is too long";
            return std::unexpected(self.complaint);
        }
        return std::optional<Reply>();
    }
    self.bytes = self.reader->len - self.reader->pos;
    self.items = 0;
    return std::exchange(self.root, Reply());
}

}  // namespace weir::shared
