#include "packed_weights.h"

#include <new>

namespace uniscale {

PackedWeights::Copy& PackedWeights::find(const Key& key, int64_t bytes) {
    for (auto& copy : copies)
        if (copy.key == key) return copy;
    void* memory = std::aligned_alloc(64, (static_cast<size_t>(bytes) + 63) / 64 * 64);
    if (memory == nullptr) throw std::bad_alloc();
    copies.push_back({key, bytes, false, {memory, &std::free}});
    return copies.back();
}

dnnl::memory& PackedWeights::take(const void* values, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted) {
    std::lock_guard<std::mutex> lock(mutex);
    auto copy = onednn_copies.begin();
    while (copy != onednn_copies.end() && (copy->plain != plain || copy->storage.get_desc() != wanted)) copy++;
    if (copy == onednn_copies.end()) copy = onednn_copies.insert(copy, {plain, onednn::room_for(wanted), false});
    if (!copy->current) onednn::reorder(values, plain, copy->storage);
    copy->current = true;
    return copy->storage;
}

void PackedWeights::invalidate() {
    std::lock_guard<std::mutex> lock(mutex);
    for (auto& copy : copies) copy.current = false;
    for (auto& copy : onednn_copies) copy.current = false;
}

int64_t PackedWeights::bytes() {
    std::lock_guard<std::mutex> lock(mutex);
    int64_t sum = 0;
    for (auto& copy : copies) sum += copy.bytes;
    for (auto& copy : onednn_copies) sum += static_cast<int64_t>(copy.storage.get_desc().get_size());
    return sum;
}

}  // namespace uniscale
