// Attention of the last token of a sequence, as generation asks for it: keys across and the queries of some heads down, where the general
// kernel would fill one lane of a register. Each sum runs in the same order as there, so the bits are the same.
#pragma once

#include "vector_attention.h"

namespace uniscale::UNISCALE_SIMD {

// How keys and values of a type are read: the products are those of fp32.
template <class T>
struct TokenOperands {
    using Keys = Fp32Operand;
    using Values = Fp32Operand;
};
template <>
struct TokenOperands<Bf16> {
    using Keys = WidenedOperand;
    using Values = WidenedRowsOperand;
};

struct TokenScratch {
    Buffer<float> keys, values, scores, sums, top, total;

    // For so many heads of queries.
    void reserve(int64_t heads, int64_t dim) {
        values.resize(key_tile * round_up(dim, lanes));
        keys.resize(packed_size<Fp32Operand>(dim, key_tile));
        scores.resize(heads * key_tile);
        sums.resize(heads * round_up(dim, lanes));
        top.resize(heads);
        total.resize(heads);
    }
};

// A tile of keys and values that is read next. Rows of a head lie too far apart for the processor to foresee them, and it forgets those that it
// is asked for while many others are under way: they are asked for a register of keys at a time.
struct TileAhead {
    const char *keys = nullptr, *values = nullptr;
    int64_t count = 0, stride = 0, row = 0;  // rows, and bytes from one to the next and of each

    template <class T>
    static TileAhead of(const Attention& p, int64_t kv_head, int64_t key) {
        constexpr auto size = static_cast<int64_t>(sizeof(T));
        const int64_t first = (p.k_offset(0, kv_head) + key * p.k_stride()) * size;
        return {static_cast<const char*>(p.k) + first, static_cast<const char*>(p.v) + first, smaller(key_tile, p.keys - key), p.k_stride() * size,
                p.dim * size};
    }

    void fetch_keys(int64_t first) const { fetch(keys, first); }
    void fetch_values(int64_t first) const { fetch(values, first); }

private:
    void fetch(const char* rows, int64_t first) const {
        const int64_t end = smaller(first + lanes, count);
        for (int64_t at = first * stride; at < end * stride; at += stride)
            for (int64_t line = 0; line < row; line += 64) _mm_prefetch(rows + at + line, _MM_HINT_T0);
    }
};

// The heads [first, first + heads) of queries, which read one head of keys and values.
template <class T>
class TokenAttention {
    using KeyOperand = typename TokenOperands<T>::Keys;
    using ValueOperand = typename TokenOperands<T>::Values;

public:
    TokenAttention(const Attention& problem, int64_t first, int64_t heads, TokenScratch& scratch)
        : p(problem),
          s(scratch),
          heads(heads),
          kv_head(first / problem.group()),
          sums_stride(round_up(p.dim, lanes)),
          scale(p.scale * log2_e),
          q(static_cast<const T*>(p.q) + p.q_offset(0, first)),
          k(static_cast<const T*>(p.k) + p.k_offset(0, kv_head)),
          v(static_cast<const T*>(p.v) + p.k_offset(0, kv_head)) {}

    // out: of the first head; next: what is read after it.
    void run(T* out, const TileAhead& next) {
        s.top.fill(-__builtin_inff());
        s.total.fill(0.0f);
        for (int64_t key = 0; key < p.keys; key += key_tile)
            add(key, smaller(key_tile, p.keys - key), key + key_tile < p.keys ? TileAhead::of<T>(p, kv_head, key + key_tile) : next);
        for (int64_t head = 0; head < heads; head++) {
            const float total = s.total[head];
            const Lanes factor = 1.0f / all(total);
            const float* sums = s.sums.data() + head * sums_stride;
            for_row(p.dim, [&](int64_t i, int64_t, auto part) {
                part.store(out + head * p.dim + i, total == 0.0f ? Lanes{} : load_lanes(sums + i) * factor);
            });
        }
    }

private:
    const Attention& p;
    TokenScratch& s;
    const int64_t heads, kv_head, sums_stride;
    const float scale;
    const T *q, *k, *v;

    void add(int64_t key, int64_t keys, const TileAhead& ahead) {
        T* const packed = reinterpret_cast<T*>(s.keys.data());
        for (int64_t first = 0; first < keys; first += lanes) {
            ahead.fetch_keys(first);
            pack_register<KeyOperand>(k + key * p.k_stride(), p.k_stride(), p.dim, keys, first, packed);
        }
        product<KeyOperand>(heads, 0, keys, p.dim, {q, p.dim}, {packed, p.dim, keys}, s.scores.data(), key_tile, false);
        for (int64_t head = 0; head < heads; head += side_by_side) soften(head, smaller(side_by_side, heads - head), key, keys, ahead);
        const T* const rows = v + key * p.k_stride();
        if (p.dim == sums_stride) weigh<ValueOperand>(keys, rows, p.k_stride(), key > 0);
        else weigh<Fp32Operand>(keys, copy_of(rows, keys), sums_stride, key > 0);
    }

    static constexpr int64_t side_by_side = 4;  // heads whose weights are summed at once: each sum is one chain of additions

    // Scores of some heads become weights.
    void soften(int64_t first, int64_t count, int64_t key, int64_t keys, const TileAhead& ahead) {
        Lanes shrink[side_by_side];
        for (int64_t i = 0; i < count; i++) {
            float* scores = s.scores.data() + (first + i) * key_tile;
            float& top = s.top[first + i];
            const SoftmaxStep step(all(top), all(largest_score(scores, keys)));
            shrink[i] = step.shrink;
            top = step.top[0];
            for (int64_t j = 0; j < keys; j += lanes) {
                if (first + i == 0) ahead.fetch_values(j);
                store_lanes(scores + j, power_of_two(load_lanes(scores + j) * scale - step.shift));
            }
            if (key > 0 && shrink[i][0] != 1.0f) shrink_sums(first + i, shrink[i]);
        }
        float sums[side_by_side] = {};
        if (count == side_by_side) sum_weights<side_by_side>(first, keys, sums);
        else for (int64_t i = 0; i < count; i++) sum_weights<1>(first + i, keys, sums + i);
        for (int64_t i = 0; i < count; i++) s.total[first + i] = (all(s.total[first + i]) * shrink[i] + all(sums[i]))[0];
    }

    float largest_score(const float* scores, int64_t keys) const {
        Lanes top = all(-__builtin_inff());
        int64_t i = 0;
        for (; i + lanes <= keys; i += lanes) top = larger(top, load_lanes(scores + i) * scale);
        if (i < keys) top = larger(top, Part{keys - i}.load(scores + i, -__builtin_inff()) * scale);
        return largest(top);
    }

    template <int count>
    void sum_weights(int64_t first, int64_t keys, float* sums) const {
        const float* weights = s.scores.data() + first * key_tile;
        for (int64_t i = 0; i < keys; i++)
#pragma GCC unroll 4
            for (int head = 0; head < count; head++) sums[head] += weights[head * key_tile + i];
    }

    void shrink_sums(int64_t head, Lanes shrink) {
        float* sums = s.sums.data() + head * sums_stride;
        for (int64_t i = 0; i < sums_stride; i += lanes) store_lanes(sums + i, load_lanes(sums + i) * shrink);
    }

    // Adds rows of values, each times its weight.
    template <class Operand>
    void weigh(int64_t keys, const typename Operand::RightElement* rows, int64_t stride, bool begun) {
        for (int64_t first = 0; first < sums_stride; first += panel)
            panel_product<Operand>(heads, smaller(panel, sums_stride - first) / lanes, keys, s.scores.data(), key_tile, 1, rows + first, stride,
                                   s.sums.data() + first, sums_stride, begun);
    }

    // Rows that end within a register, with room for all of it.
    const float* copy_of(const T* rows, int64_t keys) {
        for (int64_t row = 0; row < keys; row++) {
            float* to = s.values.data() + row * sums_stride;
            for_row(p.dim, [&](int64_t i, int64_t, auto part) { store_lanes(to + i, part.load(rows + row * p.k_stride() + i)); });
        }
        return s.values.data();
    }
};

}  // namespace uniscale::UNISCALE_SIMD
