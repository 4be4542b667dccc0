// The memory of the tensors that the kernels write. A training step asks for the same sizes again and again; from glibc the large ones are
// mapped and unmapped every time, and the system clears every page anew. Here freed blocks wait for the next request of their
// size, and large ones lie on huge pages where the system offers them.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace {

constexpr size_t header_bytes = 64, smallest_kept = 64 << 10, huge_page = 2 << 20, spare = 128 << 20;

// Stands before a block's data, which begins on a cache line. bytes: of the whole block, 0 where it is glibc's.
struct Header {
    size_t bytes;
};

Header* header_of(void* data) { return reinterpret_cast<Header*>(static_cast<char*>(data) - header_bytes); }

// Sizes in eighths of a power of two, whole pages: at most an eighth of a block is unused, and never more than a huge page.
size_t class_of(size_t bytes) {
    size_t power = smallest_kept;
    while (power < bytes) power *= 2;
    const size_t step = std::clamp<size_t>(power / 16, 4096, huge_page);
    return (bytes + step - 1) / step * step;
}

// Keeps freed blocks by size, never an empty list of them. Used and kept together stay within the most that was ever used at one
// time, an eighth of it and `spare`.
class BlockCache {
public:
    // A block of at least so many bytes; `bytes` becomes its size.
    void* take(size_t& bytes) {
        std::vector<std::pair<void*, size_t>> surplus;
        void* block = nullptr;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            const auto found = kept_.lower_bound(bytes);
            if (found != kept_.end() && found->first <= bytes + bytes / 4) {
                bytes = found->first;
                block = found->second.back();
                found->second.pop_back();
                kept_bytes_ -= bytes;
                if (found->second.empty()) kept_.erase(found);
            }
            used_ += bytes;
            most_ = std::max(most_, used_);
            shrink(surplus);
        }
        unmap(surplus);
        if (block != nullptr) return block;
        block = map(bytes);
        if (block == nullptr) {
            release_all();
            block = map(bytes);
        }
        if (block == nullptr) {
            const std::lock_guard<std::mutex> lock(mutex_);
            used_ -= bytes;
        }
        return block;
    }

    void give_back(void* block, size_t bytes) {
        std::vector<std::pair<void*, size_t>> surplus;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            used_ -= bytes;
            kept_[bytes].push_back(block);
            kept_bytes_ += bytes;
            shrink(surplus);
        }
        unmap(surplus);
    }

    size_t kept_bytes() {
        const std::lock_guard<std::mutex> lock(mutex_);
        return kept_bytes_;
    }

private:
    std::mutex mutex_;
    std::map<size_t, std::vector<void*>> kept_;
    size_t used_ = 0, most_ = 0, kept_bytes_ = 0;

    // Takes out the largest kept blocks until the rest is within the bound.
    void shrink(std::vector<std::pair<void*, size_t>>& surplus) {
        const size_t bound = most_ + most_ / 8 + spare;
        while (kept_bytes_ > 0 && used_ + kept_bytes_ > bound) {
            auto largest = std::prev(kept_.end());
            surplus.emplace_back(largest->second.back(), largest->first);
            largest->second.pop_back();
            kept_bytes_ -= largest->first;
            if (largest->second.empty()) kept_.erase(largest);
        }
    }

    void release_all() {
        std::vector<std::pair<void*, size_t>> surplus;
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            for (auto& [bytes, blocks] : kept_)
                for (void* block : blocks) surplus.emplace_back(block, bytes);
            kept_.clear();
            kept_bytes_ = 0;
        }
        unmap(surplus);
    }

    static void unmap(const std::vector<std::pair<void*, size_t>>& blocks) {
        for (const auto& [block, bytes] : blocks) munmap(block, bytes);
    }

    static void* map(size_t bytes) {
        const bool huge = bytes >= huge_page;
        const size_t room = huge ? bytes + huge_page : bytes;
        void* mapped = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (mapped == MAP_FAILED) return nullptr;
        if (!huge) return mapped;
        char* const begin = static_cast<char*>(mapped);
        char* const aligned = begin + (huge_page - reinterpret_cast<size_t>(begin) % huge_page) % huge_page;
        if (aligned > begin) munmap(begin, static_cast<size_t>(aligned - begin));
        if (aligned + bytes < begin + room) munmap(aligned + bytes, static_cast<size_t>(begin + room - aligned - bytes));
        madvise(aligned, bytes, MADV_HUGEPAGE);
        return aligned;
    }
};

// Never destroyed: tensors may outlive the library's statics.
BlockCache& cache() {
    static auto* blocks = new BlockCache();
    return *blocks;
}

bool keeps() {
    static const bool answer = [] {
        const char* choice = std::getenv("UNISCALE_ALLOCATOR");
        return choice == nullptr || std::strcmp(choice, "system") != 0;
    }();
    return answer;
}

void release(void* data) {
    if (data == nullptr) return;
    Header* const header = header_of(data);
    if (header->bytes == 0) std::free(header);
    else cache().give_back(header, header->bytes);
}

}  // namespace

/// Memory for so many bytes, on a cache line; null where there is not enough.
extern "C" __attribute__((visibility("default"))) void* uniscale_memory_take(size_t bytes) {
    const bool kept = bytes >= smallest_kept && keeps();
    size_t whole = kept ? class_of(bytes + header_bytes) : (bytes + header_bytes + 63) / 64 * 64;
    void* const block = whole < bytes ? nullptr : kept ? cache().take(whole) : std::aligned_alloc(64, whole);
    if (block == nullptr) return nullptr;
    static_cast<Header*>(block)->bytes = kept ? whole : 0;
    return static_cast<char*>(block) + header_bytes;
}

/// The function that takes such memory back.
extern "C" __attribute__((visibility("default"))) void (*uniscale_memory_giver())(void*) { return &release; }

/// Bytes of freed blocks that are kept.
extern "C" __attribute__((visibility("default"))) size_t uniscale_memory_cached() { return cache().kept_bytes(); }
