// Exact attention in tiles, with an online softmax: memory is linear in the length of the sequence
// (Dao et al., FlashAttention, 2022; FlashAttention-2, 2023). Products of bf16 operands, sums and softmax in fp32.
#include "attention.h"

#include <omp.h>

#include "mask.h"
#include "product.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

constexpr int64_t row_block = 48, key_tile = 256, query_range = 480;  // forward
constexpr int64_t tile = 64;                                          // backward

// Rows of a matrix as operands: where the types agree, the memory itself; else a converted copy.
template <class Operand, class T>
struct Rows {
    Buffer<typename Operand::Element> copy;
    const typename Operand::Element* data = nullptr;
    int64_t stride = 0;

    void take(const T* source, int64_t source_stride, int64_t rows, int64_t dim) {
        if constexpr (__is_same(T, typename Operand::Element)) {
            data = source;
            stride = source_stride;
        } else {
            copy.resize(rows * dim);
            for (int64_t row = 0; row < rows; row++)
                for (int64_t i = 0; i < dim; i++) store(copy[row * dim + i], load(source[row * source_stride + i]));
            data = copy.data();
            stride = dim;
        }
    }
};

template <class Operand>
struct ForwardScratch {
    using Element = typename Operand::Element;
    Buffer<Element> keys, values, weights;
    Buffer<float> scores, sums, top, total;

    explicit ForwardScratch(int64_t dim)
        : keys(packed_size<Operand>(dim, key_tile)),
          values(packed_size<Operand>(key_tile, dim)),
          weights(row_block * key_tile),
          scores(row_block * key_tile),
          sums(query_range * round_up(dim, lanes)),
          top(query_range),
          total(query_range) {}
};

// Scores of one row become weights: subtracts the running maximum, returns by how much earlier sums shrink.
// The sum runs over whole panels, beyond `count` over zeros: its order, and so its bits, do not depend on how many keys are seen.
template <class Operand>
float soften(float* scores, typename Operand::Element* weights, int64_t count, float& top, float& total) {
    const int64_t whole = round_up(count, panel);
    for (int64_t i = count; i < whole; i++) scores[i] = -__builtin_inff();
    float highest = top;
#pragma omp simd reduction(max : highest)
    for (int64_t i = 0; i < whole; i++) highest = scores[i] > highest ? scores[i] : highest;
    if (highest == -__builtin_inff()) {
        for (int64_t i = 0; i < whole; i++) store(weights[i], 0.0f);
        return 1.0f;
    }
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < whole; i++) {
        const float weight = exponential(scores[i] - highest);
        sum += weight;
        store(weights[i], weight);
    }
    const float shrink = top == -__builtin_inff() ? 0.0f : __builtin_expf(top - highest);
    total = total * shrink + sum;
    top = highest;
    return shrink;
}

template <class Operand, class T>
void forward_rows(const Attention& p, const Mask& mask, Visibility visibility, const Rows<Operand, T>& queries, int64_t first,
                  int64_t offset, int64_t rows, int64_t key, int64_t keys, int64_t key_depth, ForwardScratch<Operand>& s) {
    const int64_t width = round_up(p.dim, lanes);
    product<Operand>(rows, keys, p.dim, queries.data + offset * queries.stride, queries.stride, s.keys.data(), p.dim, s.scores.data(),
                     key_tile, false);
    for (int64_t row = 0; row < rows; row++) {
        float* scores = s.scores.data() + row * key_tile;
        const float scale = p.scale;
#pragma omp simd
        for (int64_t i = 0; i < keys; i++) scores[i] *= scale;
        if (visibility == Visibility::Some)
            for (int64_t i = 0; i < keys; i++)
                if (!mask.visible(first + offset + row, key + i)) scores[i] = -__builtin_inff();
        const float shrink = soften<Operand>(scores, s.weights.data() + row * key_tile, keys, s.top[offset + row],
                                             s.total[offset + row]);
        float* sums = s.sums.data() + (offset + row) * width;
        if (shrink != 1.0f)
            for (int64_t i = 0; i < width; i++) sums[i] *= shrink;
    }
    product<Operand>(rows, p.dim, keys, s.weights.data(), key_tile, s.values.data(), key_depth, s.sums.data() + offset * width,
                     width, true);
}

template <class Operand, class T>
void forward_range(const Attention& p, T* result, float* log_sums, int64_t sequence, int64_t head, int64_t first, int64_t count,
                   ForwardScratch<Operand>& s) {
    const int64_t width = round_up(p.dim, lanes), kv_head = head / p.group();
    const Mask mask{p.q_documents_of(sequence), p.k_documents_of(sequence), p.diagonal};
    const T* k = static_cast<const T*>(p.k) + p.k_offset(sequence, kv_head);
    const T* v = static_cast<const T*>(p.v) + p.k_offset(sequence, kv_head);
    Rows<Operand, T> queries;
    queries.take(static_cast<const T*>(p.q) + p.q_offset(sequence, head) + first * p.q_stride(), p.q_stride(), count, p.dim);
    s.sums.fill(0.0f);
    s.top.fill(-__builtin_inff());
    s.total.fill(0.0f);
    const int64_t end = key_end(p, first + count - 1);
    for (int64_t key = 0; key < end; key += key_tile) {
        const int64_t keys = smaller(key_tile, end - key);
        if (mask.of(first, count, key, keys) == Visibility::None) continue;
        pack<Operand>(k + key * p.k_stride(), 1, p.k_stride(), p.dim, keys, s.keys.data());
        pack<Operand>(v + key * p.k_stride(), p.k_stride(), 1, keys, p.dim, s.values.data());
        for (int64_t offset = 0; offset < count; offset += row_block) {
            const int64_t rows = smaller(row_block, count - offset);
            // Keys right of the diagonal are left out, by whole panels of the packed operand.
            const int64_t seen = smaller(keys, round_up(larger(0, first + offset + rows + p.diagonal - key), panel));
            const auto visibility = mask.of(first + offset, rows, key, keys);
            if (visibility != Visibility::None) forward_rows<Operand, T>(p, mask, visibility, queries, first, offset, rows, key, seen, keys, s);
        }
    }
    T* out = result + p.q_offset(sequence, head) + first * p.q_stride();
    float* lse = log_sums == nullptr ? nullptr : log_sums + p.row_offset(sequence, head) + first;
    for (int64_t row = 0; row < count; row++) {
        const float total = s.total[row], inverse = total > 0 ? 1.0f / total : (total == 0 ? 0.0f : total);
        for (int64_t i = 0; i < p.dim; i++) store(out[row * p.q_stride() + i], s.sums[row * width + i] * inverse);
        if (lse != nullptr) lse[row] = total == 0 ? -__builtin_inff() : s.top[row] + __builtin_logf(total);
    }
}

template <class Operand, class T>
void forward(const Attention& p, T* out, float* lse) {
    const int64_t ranges = (p.queries + query_range - 1) / query_range;
#pragma omp parallel
    {
        ForwardScratch<Operand> scratch(p.dim);
#pragma omp for collapse(3) schedule(dynamic)
        for (int64_t sequence = 0; sequence < p.batch; sequence++)
            for (int64_t head = 0; head < p.heads; head++)
                for (int64_t range = ranges - 1; range >= 0; range--) {
                    const int64_t first = range * query_range;
                    forward_range<Operand, T>(p, out, lse, sequence, head, first, smaller(query_range, p.queries - first), scratch);
                }
    }
}

// One item of work for each head and range of queries of each sequence.
template <class T>
void forward_sequences(const uniscale_sequence* sequences, int64_t count, const Attention& common) {
    Buffer<int64_t> first_item(count + 1);
    first_item[0] = 0;
    for (int64_t i = 0; i < count; i++) first_item[i + 1] = first_item[i] + common.heads * ((sequences[i].queries + query_range - 1) / query_range);
#pragma omp parallel
    {
        ForwardScratch<Fp32Operand> scratch(common.dim);
        int64_t index = 0;
#pragma omp for schedule(monotonic : dynamic)
        for (int64_t item = 0; item < first_item[count]; item++) {
            while (item >= first_item[index + 1]) index++;
            const uniscale_sequence& s = sequences[index];
            Attention p = common;
            p.q = s.q, p.k = s.k, p.v = s.v, p.queries = s.queries, p.keys = s.keys, p.diagonal = s.keys - s.queries;
            const int64_t place = item - first_item[index], first = place / p.heads * query_range;
            forward_range<Fp32Operand, T>(p, static_cast<T*>(s.out), nullptr, 0, place % p.heads, first, smaller(query_range, p.queries - first), scratch);
        }
    }
}

// One query head's operands, packed once for all tiles of keys, and the gradients that its tiles add to.
template <class Operand>
struct BackwardScratch {
    using Element = typename Operand::Element;
    int64_t width;
    Buffer<Element> q_across, q_along, dout_across, dout_along;  // packed [dim × tile] and [tile × dim] for each tile of queries
    Buffer<float> dq_transposed, dk, dv;
    Buffer<Element> weights, dscores, dscores_packed, key_transposed;
    Buffer<float> scores, dweights;

    explicit BackwardScratch(const Attention& p)
        : width(round_up(p.dim, lanes)),
          q_across(tiles(p.queries) * packed_size<Operand>(p.dim, tile)),
          q_along(tiles(p.queries) * packed_size<Operand>(tile, p.dim)),
          dout_across(tiles(p.queries) * packed_size<Operand>(p.dim, tile)),
          dout_along(tiles(p.queries) * packed_size<Operand>(tile, p.dim)),
          dq_transposed(tiles(p.queries) * p.dim * tile),
          dk(p.keys * width),
          dv(p.keys * width),
          weights(tile * tile),
          dscores(tile * tile),
          dscores_packed(packed_size<Operand>(tile, tile)),
          key_transposed(p.dim * tile),
          scores(tile * tile),
          dweights(tile * tile) {}

    static int64_t tiles(int64_t count) { return (count + tile - 1) / tile; }
};

template <class Operand, class T>
void prepare_head(const Attention& p, const T* dout_all, int64_t sequence, int64_t head, BackwardScratch<Operand>& s) {
    const T* q = static_cast<const T*>(p.q) + p.q_offset(sequence, head);
    const T* dout = dout_all + p.q_offset(sequence, head);
    const int64_t stride = p.q_stride(), across = packed_size<Operand>(p.dim, tile), along = packed_size<Operand>(tile, p.dim);
    for (int64_t first = 0, t = 0; first < p.queries; first += tile, t++) {
        const int64_t rows = smaller(tile, p.queries - first);
        pack<Operand>(q + first * stride, 1, stride, p.dim, rows, s.q_across.data() + t * across);
        pack<Operand>(q + first * stride, stride, 1, rows, p.dim, s.q_along.data() + t * along);
        pack<Operand>(dout + first * stride, 1, stride, p.dim, rows, s.dout_across.data() + t * across);
        pack<Operand>(dout + first * stride, stride, 1, rows, p.dim, s.dout_along.data() + t * along);
    }
    s.dq_transposed.fill(0.0f);
}

// Gradients of the scores of one tile, keys down and queries across; weights and dscores become operands.
template <class Operand>
void tile_gradients(const Attention& p, const Mask& mask, Visibility visibility, const float* lse, const float* delta, int64_t query,
                    int64_t queries, int64_t key, int64_t keys, BackwardScratch<Operand>& s) {
    const float scale = p.scale;
    for (int64_t row = 0; row < keys; row++) {
        float *scores = s.scores.data() + row * tile, *dweights = s.dweights.data() + row * tile;
#pragma omp simd
        for (int64_t i = 0; i < queries; i++) {
            const float weight = exponential(scores[i] * scale - lse[query + i]);
            scores[i] = weight;
            dweights[i] = weight * (dweights[i] - delta[query + i]) * scale;
        }
        if (visibility == Visibility::Some)
            for (int64_t i = 0; i < queries; i++)
                if (!mask.visible(query + i, key + row)) scores[i] = dweights[i] = 0.0f;
        for (int64_t i = queries; i < round_up(queries, Operand::pair); i++) scores[i] = dweights[i] = 0.0f;
        auto *weights = s.weights.data() + row * tile, *dscores = s.dscores.data() + row * tile;
        const int64_t padded = round_up(queries, Operand::pair);
#pragma omp simd
        for (int64_t i = 0; i < padded; i++) {
            store(weights[i], scores[i]);
            store(dscores[i], dweights[i]);
        }
    }
    pack<Operand>(s.dscores.data(), tile, 1, keys, queries, s.dscores_packed.data());
}

template <class Operand, class T>
void backward_keys(const Attention& p, const Mask& mask, const float* lse, const float* delta, const T* k, const T* v, int64_t key,
                   int64_t keys, BackwardScratch<Operand>& s) {
    const int64_t across = packed_size<Operand>(p.dim, tile), along = packed_size<Operand>(tile, p.dim);
    Rows<Operand, T> key_rows, value_rows;
    key_rows.take(k + key * p.k_stride(), p.k_stride(), keys, p.dim);
    value_rows.take(v + key * p.k_stride(), p.k_stride(), keys, p.dim);
    const int64_t padded = round_up(keys, Operand::pair);
    for (int64_t i = 0; i < p.dim; i++)
        for (int64_t row = 0; row < padded; row++)
            store(s.key_transposed[i * tile + row], row < keys ? load(key_rows.data[row * key_rows.stride + i]) : 0.0f);
    const int64_t first_query = larger(0, key - p.diagonal) / tile;
    for (int64_t t = first_query; t * tile < p.queries; t++) {
        const int64_t query = t * tile, queries = smaller(tile, p.queries - query);
        const auto visibility = mask.of(query, queries, key, keys);
        if (visibility == Visibility::None) continue;
        product<Operand>(keys, queries, p.dim, key_rows.data, key_rows.stride, s.q_across.data() + t * across, p.dim,
                         s.scores.data(), tile, false);
        product<Operand>(keys, queries, p.dim, value_rows.data, value_rows.stride, s.dout_across.data() + t * across, p.dim,
                         s.dweights.data(), tile, false);
        tile_gradients<Operand>(p, mask, visibility, lse, delta, query, queries, key, keys, s);
        product<Operand>(keys, p.dim, queries, s.weights.data(), tile, s.dout_along.data() + t * along, queries,
                         s.dv.data() + key * s.width, s.width, true);
        product<Operand>(keys, p.dim, queries, s.dscores.data(), tile, s.q_along.data() + t * along, queries,
                         s.dk.data() + key * s.width, s.width, true);
        product<Operand>(p.dim, queries, keys, s.key_transposed.data(), tile, s.dscores_packed.data(), keys,
                         s.dq_transposed.data() + t * p.dim * tile, tile, true);
    }
}

template <class Operand, class T, class G>
void backward_head(const Attention& p, const AttentionGradient& g, int64_t sequence, int64_t head, BackwardScratch<Operand>& s) {
    const int64_t kv_head = head / p.group();
    const Mask mask{p.q_documents_of(sequence), p.k_documents_of(sequence), p.diagonal};
    const T* k = static_cast<const T*>(p.k) + p.k_offset(sequence, kv_head);
    const T* v = static_cast<const T*>(p.v) + p.k_offset(sequence, kv_head);
    const int64_t row = p.row_offset(sequence, head);
    prepare_head<Operand, T>(p, static_cast<const T*>(g.dout), sequence, head, s);
    for (int64_t key = 0; key < p.keys; key += tile)
        backward_keys<Operand, T>(p, mask, g.lse + row, g.delta + row, k, v, key, smaller(tile, p.keys - key), s);
    G* dq = static_cast<G*>(g.dq) + p.q_offset(sequence, head);
    for (int64_t query = 0; query < p.queries; query++)
        for (int64_t i = 0; i < p.dim; i++)
            store(dq[query * p.q_stride() + i], s.dq_transposed[(query / tile * p.dim + i) * tile + query % tile]);
}

template <class Operand, class T, class G>
void backward(const Attention& p, const AttentionGradient& g) {
#pragma omp parallel
    {
        BackwardScratch<Operand> scratch(p);
#pragma omp for collapse(2) schedule(dynamic)
        for (int64_t sequence = 0; sequence < p.batch; sequence++)
            for (int64_t kv_head = 0; kv_head < p.kv_heads; kv_head++) {
                scratch.dk.fill(0.0f);
                scratch.dv.fill(0.0f);
                for (int64_t head = kv_head * p.group(); head < (kv_head + 1) * p.group(); head++)
                    backward_head<Operand, T, G>(p, g, sequence, head, scratch);
                G* dk = static_cast<G*>(g.dk) + p.k_offset(sequence, kv_head);
                G* dv = static_cast<G*>(g.dv) + p.k_offset(sequence, kv_head);
                for (int64_t row = 0; row < p.keys; row++)
                    for (int64_t i = 0; i < p.dim; i++) {
                        store(dk[row * p.k_stride() + i], scratch.dk[row * scratch.width + i]);
                        store(dv[row * p.k_stride() + i], scratch.dv[row * scratch.width + i]);
                    }
            }
    }
}

#ifdef __AVX512BF16__
using HalfOperand = Bf16Operand;
#else
using HalfOperand = Fp32Operand;
#endif

}  // namespace

void attention_forward(const Attention& problem, void* out, float* lse) {
    if (problem.type == 1) forward<HalfOperand, Bf16>(problem, static_cast<Bf16*>(out), lse);
    else forward<Fp32Operand, float>(problem, static_cast<float*>(out), lse);
}

#ifndef __AVX512BF16__  // these multiply in fp32, as the other instruction sets do
void attention_sequences(const uniscale_sequence* sequences, int64_t count, int64_t heads, int64_t kv_heads, int64_t dim, float scale, int type) {
    const Attention common{nullptr, nullptr, nullptr, nullptr, nullptr, 1, 0, 0, heads, kv_heads, dim, scale, 0, type};
    with_type(type, [&](auto t) { forward_sequences<decltype(t)>(sequences, count, common); });
}
#endif

void attention_backward(const Attention& problem, const AttentionGradient& gradient) {
    if (problem.type == 0) backward<Fp32Operand, float, float>(problem, gradient);
    else if (gradient.type == 1) backward<HalfOperand, Bf16, Bf16>(problem, gradient);
    else backward<HalfOperand, Bf16, float>(problem, gradient);
}

}  // namespace uniscale::UNISCALE_SIMD
