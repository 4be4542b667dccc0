// The items of work that attention is divided into, and what each reads.
#pragma once

#include "attention.h"
#include "rows_ahead.h"

namespace uniscale::UNISCALE_SIMD {

constexpr int64_t query_range = 512;  // queries of a forward item

// One head's range of queries. The last ranges see most keys and come first.
struct ForwardItem {
    int64_t sequence, head, first, count;

    static int64_t ranges(const Attention& p) { return (p.queries + query_range - 1) / query_range; }
    ForwardItem(const Attention& p, int64_t index)
        : sequence(index / ranges(p) / p.heads),
          head(index / ranges(p) % p.heads),
          first((ranges(p) - 1 - index % ranges(p)) * query_range),
          count(smaller(query_range, p.queries - first)) {}

    int64_t q_offset(const Attention& p) const { return p.q_offset(sequence, head) + first * p.q_stride(); }
    int64_t k_offset(const Attention& p) const { return p.k_offset(sequence, head / p.group()); }

    template <class T>
    RowsAhead rows(const Attention& p) const {
        RowsAhead ahead;
        ahead.add(static_cast<const T*>(p.q) + q_offset(p), p.q_stride(), p.dim, count);
        ahead.add(static_cast<const T*>(p.k) + k_offset(p), p.k_stride(), p.dim, smaller(count, p.keys));
        ahead.add(static_cast<const T*>(p.v) + k_offset(p), p.k_stride(), p.dim, smaller(count, p.keys));
        return ahead;
    }
};

// What the first head of a backward item reads: one head of keys of one sequence, with its heads of queries.
template <class T>
RowsAhead backward_rows(const Attention& p, const AttentionGradient& g, int64_t item) {
    const int64_t sequence = item / p.kv_heads, kv_head = item % p.kv_heads;
    const int64_t q_place = p.q_offset(sequence, kv_head * p.group()), k_place = p.k_offset(sequence, kv_head);
    RowsAhead ahead;
    ahead.add(static_cast<const T*>(p.q) + q_place, p.q_stride(), p.dim, p.queries);
    ahead.add(static_cast<const T*>(g.dout) + q_place, p.q_stride(), p.dim, p.queries);
    ahead.add(static_cast<const T*>(p.k) + k_place, p.k_stride(), p.dim, p.keys);
    ahead.add(static_cast<const T*>(p.v) + k_place, p.k_stride(), p.dim, p.keys);
    return ahead;
}

}  // namespace uniscale::UNISCALE_SIMD
