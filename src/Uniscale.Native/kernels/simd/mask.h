// Which keys a query sees.
#pragma once

#include "attention.h"
#include "vector.h"

namespace uniscale::UNISCALE_SIMD {

// What a tile of queries × keys needs of the mask.
enum class Visibility { None, Some, All };

struct Range {
    int64_t low, high;
    Range(const int64_t* values, int64_t count) : low(values[0]), high(values[0]) {
        for (int64_t i = 1; i < count; i++) {
            low = values[i] < low ? values[i] : low;
            high = values[i] > high ? values[i] : high;
        }
    }
};

struct Mask {
    const int64_t *q_documents, *k_documents;
    int64_t diagonal;

    bool visible(int64_t query, int64_t key) const {
        return key <= query + diagonal && (q_documents == nullptr || q_documents[query] == k_documents[key]);
    }

    Visibility of(int64_t query, int64_t queries, int64_t key, int64_t keys) const {
        if (key > query + queries - 1 + diagonal) return Visibility::None;
        const bool below = key + keys - 1 <= query + diagonal;
        if (q_documents == nullptr) return below ? Visibility::All : Visibility::Some;
        const Range q(q_documents + query, queries), k(k_documents + key, keys);
        if (q.low > k.high || q.high < k.low) return Visibility::None;
        const bool one = q.low == q.high && k.low == k.high && q.low == k.low;
        return one && below ? Visibility::All : Visibility::Some;
    }
};

// Keys that any of the queries may see.
inline int64_t key_end(const Attention& p, int64_t last_query) { return larger(0, smaller(p.keys, last_query + p.diagonal + 1)); }

}  // namespace uniscale::UNISCALE_SIMD
