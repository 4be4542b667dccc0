// Exact attention in tiles, with an online softmax: memory is linear in the length of the sequence
// (Dao et al., FlashAttention, 2022; FlashAttention-2, 2023). Products of bf16 operands, sums and softmax in fp32.
#include <omp.h>

#include "parts.h"
#include "team_scratch.h"
#include "token_attention.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

template <class Operand>
struct ForwardScratch {
    using Element = typename Operand::Element;
    Buffer<Element> queries, weights;
    Buffer<float> scores, sums, top, total;

    void reserve(int64_t dim) {
        queries.resize(query_range / query_block * packed_size<Operand>(dim, query_block));
        weights.resize(packed_size<Operand>(key_tile, query_block));
        scores.resize(key_tile * query_block);
        sums.resize(query_range * dim);
        top.resize(query_range);
        total.resize(query_range);
    }
};

// One head's queries [first, first + count) over all their keys. Scores are in powers of two: times the scale and log2 e.
template <class Operand, class T>
class ForwardRange {
public:
    ForwardRange(const Attention& problem, int64_t sequence, int64_t head, int64_t first, int64_t count, ForwardScratch<Operand>& scratch,
                 RowsAhead& ahead)
        : p(problem),
          s(scratch),
          ahead(ahead),
          mask{p.q_documents_of(sequence), p.k_documents_of(sequence), p.diagonal},
          first(first),
          count(count),
          scale(p.scale * log2_e),
          q(static_cast<const T*>(p.q) + p.q_offset(sequence, head) + first * p.q_stride()),
          k(static_cast<const T*>(p.k) + p.k_offset(sequence, head / p.group())),
          v(static_cast<const T*>(p.v) + p.k_offset(sequence, head / p.group())) {}

    // out and lse (null: not wanted): of this head's first query.
    void run(T* out, float* lse) {
        for (int64_t offset = 0; offset < count; offset += query_block)
            pack<Operand>(q + offset * p.q_stride(), 1, p.q_stride(), p.dim, smaller(query_block, count - offset), queries_at(offset));
        s.top.fill(-__builtin_inff());
        s.total.fill(0.0f);
        const int64_t end = key_end(p, first + count - 1);
        for (int64_t key = 0; key < end; key += key_tile) {
            const int64_t keys = smaller(key_tile, end - key);
            if (mask.of(first, count, key, keys) == Visibility::None) continue;
            key_rows.take(k + key * p.k_stride(), p.k_stride(), keys, p.dim);
            value_rows.take(v + key * p.k_stride(), p.k_stride(), keys, p.dim);
            values.take(value_rows, keys, p.dim);
            for (int64_t offset = 0; offset < count; offset += query_block) columns(offset, smaller(query_block, count - offset), key, keys);
        }
        for (int64_t offset = 0; offset < count; offset += query_block)
            if (!begun[offset / query_block]) std::memset(sums_at(offset), 0, static_cast<size_t>(query_block * p.dim) * sizeof(float));
        for (int64_t index = 0; index < count; index += lanes) store(index, out + (first + index) * p.q_stride(), lse == nullptr ? nullptr : lse + first + index);
    }

private:
    const Attention& p;
    ForwardScratch<Operand>& s;
    RowsAhead& ahead;
    const Mask mask;
    const int64_t first, count;
    const float scale;
    const T *q, *k, *v;
    LeftRows<Operand, T> key_rows, value_rows;
    LeftColumns<Operand> values;
    bool begun[query_range / query_block] = {};  // whether there are sums of these queries
    Visibility seen[key_tile / cell];  // of the cells of the register of queries at hand

    typename Operand::Element* queries_at(int64_t offset) {
        return s.queries.data() + offset / query_block * packed_size<Operand>(p.dim, query_block);
    }
    float* sums_at(int64_t offset) { return s.sums.data() + offset / query_block * query_block * p.dim; }

    // Adds keys of the tile to the sums of the `wide` queries from `offset`.
    void columns(int64_t offset, int64_t wide, int64_t key, int64_t keys) {
        const int64_t query = first + offset;
        const auto visibility = mask.of(query, wide, key, keys);
        if (visibility == Visibility::None) return;
        const Right<Operand> queries{queries_at(offset), p.dim, wide};
        float* sums = sums_at(offset);
        for_heights(mask, query, wide, key, keys, [&](int64_t from, int64_t end, int64_t height) {
            product<Operand>(height, from, end, p.dim, key_rows.from(0), queries, s.scores.data(), query_block, false);
            for (int64_t column = from; column < end; column += lanes) {
                look(mask, visibility, query + column, smaller(lanes, wide - column), key, height, seen);
                const Lanes shrink = soften(offset, column, wide, key, height);
                if (begun[offset / query_block]) shrink_sums(sums + column, shrink);
            }
            product<Operand>(p.dim, from, end, height, values.all(), {s.weights.data(), key_tile, wide}, sums, query_block, begun[offset / query_block]);
        });
        begun[offset / query_block] = true;
    }

    // Scores of a register of queries become weights: subtracts the running maximum, returns by how much earlier sums shrink.
    Lanes soften(int64_t offset, int64_t column, int64_t wide, int64_t key, int64_t height) {
        const Lanes before = load_lanes(s.top.data() + offset + column);
        const SoftmaxStep step(before, largest_score(offset, column, key, height));
        const Lanes sum = weigh(column, wide, step.shift, height);
        store_lanes(s.total.data() + offset + column, load_lanes(s.total.data() + offset + column) * step.shrink + sum);
        store_lanes(s.top.data() + offset + column, step.top);
        return step.shrink;
    }

    // The largest score of each query, scaled. Scores that are hidden from it become −∞.
    Lanes largest_score(int64_t offset, int64_t column, int64_t key, int64_t height) {
        Lanes tops[2] = {all(-__builtin_inff()), all(-__builtin_inff())};
        for (int64_t row = 0, c = 0; row < height; row += cell, c++) {
            ahead.fetch();  // as often as half the rows of a causal head, at least
            ahead.fetch();
            if (seen[c] == Visibility::None) continue;
            float* scores = s.scores.data() + row * query_block + column;
            const int64_t keys = smaller(cell, height - row);
            if (seen[c] == Visibility::Some)
                for (int64_t i = 0; i < keys; i++) {
                    const Words visible = queries_of(mask, first + offset + column, first + count, key + row + i);
                    store_lanes(scores + i * query_block, where(visible, load_lanes(scores + i * query_block), all(-__builtin_inff())));
                }
            if (keys == cell) raise<cell>(scores, cell, tops);
            else raise<1>(scores, keys, tops);
        }
        return larger(tops[0], tops[1]);
    }

    // Of `count` scores of each query, `unrolled` after `unrolled`.
    template <int unrolled>
    void raise(const float* scores, int64_t count, Lanes (&tops)[2]) const {
        for (int64_t row = 0; row < count; row += unrolled)
#pragma GCC unroll 16
            for (int i = 0; i < unrolled; i++) tops[i % 2] = larger(tops[i % 2], load_lanes(scores + (row + i) * query_block) * scale);
    }

    // Writes the weights 2^(score − shift) as the operand of the next product; returns their sums.
    Lanes weigh(int64_t column, int64_t wide, Lanes shift, int64_t height) {
        Lanes sums[2] = {};
        for (int64_t row = 0, c = 0; row < height; row += cell, c++) {
            const float* scores = s.scores.data() + row * query_block + column;
            auto* weights = s.weights.data() + packed_at<Operand>(key_tile, wide, row, column);
            const int64_t keys = smaller(cell, height - row), stride = packed_at<Operand>(key_tile, wide, row + Operand::pair, column) -
                                                                      packed_at<Operand>(key_tile, wide, row, column);
            if (seen[c] == Visibility::None) weigh_rows<false>(scores, round_up(keys, Operand::pair), shift, weights, stride, sums);
            else if (keys == cell) weigh_rows<true>(scores, cell, shift, weights, stride, sums);
            else weigh_last(scores, keys, shift, weights, stride, sums);
        }
        return sums[0] + sums[1];
    }

    template <bool seen>
    void weigh_rows(const float* scores, int64_t count, Lanes shift, typename Operand::Element* weights, int64_t stride, Lanes (&sums)[2]) const {
        constexpr int pair = Operand::pair;
#pragma GCC unroll 8
        for (int64_t row = 0; row < count; row += pair, weights += stride) {
            Lanes values[pair] = {};
            if constexpr (seen)
                for (int i = 0; i < pair; i++) values[i] = power_of_two(load_lanes(scores + (row + i) * query_block) * scale - shift);
            for (int i = 0; i < pair; i++) sums[pair == 1 ? 0 : i] += values[i];
            store_step(weights, values);
        }
    }

    // The keys at the end of a sequence: the last of an odd number is paired with none.
    void weigh_last(const float* scores, int64_t count, Lanes shift, typename Operand::Element* weights, int64_t stride, Lanes (&sums)[2]) const {
        constexpr int pair = Operand::pair;
        for (int64_t row = 0; row < count; row += pair, weights += stride) {
            Lanes values[pair] = {};
            for (int64_t i = 0; i < pair && row + i < count; i++) {
                values[i] = power_of_two(load_lanes(scores + (row + i) * query_block) * scale - shift);
                sums[i] += values[i];
            }
            store_step(weights, values);
        }
    }

    void shrink_sums(float* sums, Lanes shrink) {
        bool same = true;
        for (int64_t lane = 0; lane < lanes; lane++) same &= shrink[lane] == 1.0f;
        if (same) return;
        for (int64_t i = 0; i < p.dim; i++) store_lanes(sums + i * query_block, load_lanes(sums + i * query_block) * shrink);
    }

    // The results of a register of queries from `index` of the range.
    void store(int64_t index, T* out, float* lse) {
        const Lanes total = load_lanes(s.total.data() + index), top = load_lanes(s.top.data() + index);
        const Words nothing = reinterpret_cast<Words>(total == 0.0f);
        const Lanes factors = where(nothing, Lanes{}, 1.0f / total);
        const int64_t offset = index / query_block * query_block;
        store_transposed(sums_at(offset) + index - offset, query_block, factors, count - index, p.dim, out, p.q_stride());
        if (lse == nullptr) return;
        for (int64_t i = 0; i < smaller(lanes, count - index); i++)
            lse[i] = total[i] == 0 ? -__builtin_inff() : top[i] / log2_e + __builtin_logf(total[i]);
    }
};

template <class Operand, class T>
void forward(const Attention& p, T* out, float* lse) {
    const int64_t items = p.batch * p.heads * ForwardItem::ranges(p);
    const int team = static_cast<int>(smaller(omp_get_max_threads(), larger(1, items)));
    ForwardScratch<Operand>* const scratch = scratch_of<ForwardScratch<Operand>>(team);
    for (int i = 0; i < team; i++) scratch[i].reserve(p.dim);
#pragma omp parallel for num_threads(team) schedule(dynamic)
    for (int64_t i = 0; i < items; i++) {
        const ForwardItem item(p, i);
        RowsAhead ahead = i + team < items ? ForwardItem(p, i + team).rows<T>(p) : RowsAhead();
        ForwardRange<Operand, T> range(p, item.sequence, item.head, item.first, item.count, scratch[omp_get_thread_num()], ahead);
        range.run(out + p.q_offset(item.sequence, item.head), lse + p.row_offset(item.sequence, item.head));
    }
}

// The work of each sequence: an item for each head and range of queries; or, of a last token alone, for each head of keys, or parts of its
// heads of queries where there are more threads.
class SequenceItems {
public:
    SequenceItems(const uniscale_sequence* sequences, int64_t count, const Attention& common, int64_t threads)
        : sequences(sequences), count(count), common(common), first(count + 1), parts(smaller(common.group(), ceiling(threads, count * common.kv_heads))) {
        first[0] = 0;
        for (int64_t i = 0; i < count; i++) first[i + 1] = first[i] + items_of(sequences[i]);
        items = first[count];
    }

    struct Item {
        int64_t sequence, place;
    };

    int64_t all() const { return items; }

    // Items that a thread takes at a time: where there are last tokens enough, a whole sequence's, whose heads lie side by side in memory.
    int64_t chunk(int64_t team) const { return items == count * common.kv_heads && count >= 4 * team ? common.kv_heads : 1; }

    // `sequence`: one that is not behind the item's.
    Item at(int64_t item, int64_t sequence) const {
        while (item >= first[sequence + 1]) sequence++;
        return {sequence, item - first[sequence]};
    }

    Attention problem(const Item& item) const {
        const uniscale_sequence& s = sequences[item.sequence];
        Attention p = common;
        p.q = s.q, p.k = s.k, p.v = s.v, p.queries = s.queries, p.keys = s.keys, p.diagonal = s.keys - s.queries;
        return p;
    }

    // Heads of queries of an item of a last token.
    Interval heads(const Item& item) const {
        const int64_t group = common.group();
        const Interval part = part_of(group, 1, parts, item.place % parts);
        return {item.place / parts * group + part.first, part.count};
    }

private:
    const uniscale_sequence* const sequences;
    const int64_t count;
    const Attention& common;
    Buffer<int64_t> first;
    const int64_t parts;
    int64_t items;

    int64_t items_of(const uniscale_sequence& s) const {
        return s.queries == 1 ? common.kv_heads * parts : common.heads * ceiling(s.queries, query_range);
    }
};

// What an item reads first.
template <class T>
TileAhead tile_of(const SequenceItems& items, int64_t i, int64_t sequence) {
    if (i >= items.all()) return {};
    const auto item = items.at(i, sequence);
    const Attention p = items.problem(item);
    return p.queries == 1 ? TileAhead::of<T>(p, items.heads(item).first / p.group(), 0) : TileAhead();
}

struct SequenceScratch {
    ForwardScratch<Fp32Operand> range;
    TokenScratch token;
};

// Whatever a query's lane is, its sums run over its own keys in their order: those that are hidden from it add zeros. So its bits depend on
// its keys alone.
template <class T>
void forward_sequences(const uniscale_sequence* sequences, int64_t count, const Attention& common) {
    const SequenceItems items(sequences, count, common, omp_get_max_threads());
    const int team = static_cast<int>(smaller(omp_get_max_threads(), larger(1, items.all())));
    const int64_t chunk = items.chunk(team);
    SequenceScratch* const scratch = scratch_of<SequenceScratch>(team);
    for (int i = 0; i < team; i++) scratch[i].range.reserve(common.dim), scratch[i].token.reserve(common.group(), common.dim);
#pragma omp parallel num_threads(team)
    {
        SequenceScratch& own = scratch[omp_get_thread_num()];
        int64_t sequence = 0;
#pragma omp for schedule(monotonic : dynamic, chunk)
        for (int64_t i = 0; i < items.all(); i++) {
            const auto item = items.at(i, sequence);
            sequence = item.sequence;
            const Attention p = items.problem(item);
            T* const out = static_cast<T*>(sequences[sequence].out);
            if (p.queries == 1) {
                const Interval heads = items.heads(item);
                TokenAttention<T>(p, heads.first, heads.count, own.token).run(out + p.q_offset(0, heads.first), tile_of<T>(items, chunk > 1 ? i + 1 : i + team, sequence));
                continue;
            }
            const int64_t head = item.place % p.heads, first = item.place / p.heads * query_range;
            RowsAhead none;
            ForwardRange<Fp32Operand, T> range(p, 0, head, first, smaller(query_range, p.queries - first), own.range, none);
            range.run(out + p.q_offset(0, head), nullptr);
        }
    }
}

}  // namespace

void attention_forward(const Attention& problem, void* out, float* lse) {
    if (problem.type == 1) forward<HalfOperand, Bf16>(problem, static_cast<Bf16*>(out), lse);
    else forward<Fp32Operand, float>(problem, static_cast<float*>(out), lse);
}

#ifndef __AVX512BF16__  // these multiply in fp32, as the other instruction sets do
void attention_sequences(const uniscale_sequence* sequences, int64_t count, int64_t heads, int64_t kv_heads, int64_t dim, float scale, int type) {
    if (count == 0) return;
    const Attention common{nullptr, nullptr, nullptr, nullptr, nullptr, 1, 0, 0, heads, kv_heads, dim, scale, 0, type};
    with_type(type, [&](auto t) { forward_sequences<decltype(t)>(sequences, count, common); });
}
#endif

}  // namespace uniscale::UNISCALE_SIMD
