// The packed copies of one weight matrix, one for each layout that a GEMM asked for (forward and backward want different ones).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <list>
#include <memory>
#include <mutex>

#include "onednn_product.h"

namespace uniscale {

class PackedWeights {
public:
    // What a copy is made of and for: op(b) [k, n] in an order of our own kernels.
    struct Key {
        enum class Order { Tiles, Panels, PairPanels } order;
        int64_t k, n, ldb;
        bool transposed;
        bool operator==(const Key& other) const {
            return order == other.order && k == other.k && n == other.n && ldb == other.ldb && transposed == other.transposed;
        }
    };

    // The current copy in an order: `bytes` of memory on a cache line, filled by fill(memory) where the values are new.
    template <class Fill>
    const void* take(const Key& key, int64_t bytes, Fill&& fill) {
        std::lock_guard<std::mutex> lock(mutex);
        Copy& copy = find(key, bytes);
        if (!copy.current) fill(copy.storage.get());
        copy.current = true;
        return copy.storage.get();
    }

    // The current copy in a layout of oneDNN's.
    dnnl::memory& take(const void* values, const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted);

    void invalidate();
    int64_t bytes();

private:
    struct Copy {
        Key key;
        int64_t bytes;
        bool current;
        std::unique_ptr<void, decltype(&std::free)> storage;
    };
    struct OneDnnCopy {
        dnnl::memory::desc plain;
        dnnl::memory storage;
        bool current;
    };
    std::mutex mutex;
    std::list<Copy> copies;
    std::list<OneDnnCopy> onednn_copies;

    Copy& find(const Key& key, int64_t bytes);
};

}  // namespace uniscale
