// Attention's backward in tiles: weights are computed again from the log-sum-exp (attention_forward.cpp says where the method comes from).
// The gradient of the queries is summed transposed, dims down and queries across, because that is how the scores' gradients lie.
#include <omp.h>

#include "team_scratch.h"
#include "vector_attention.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

constexpr int64_t block_keys = 256;  // keys that a block of queries meets before the next block comes
constexpr int64_t strip = 64;      // keys whose scores are computed at once

template <class Operand>
struct BackwardScratch {
    using Element = typename Operand::Element;
    // Of one head, a block of queries after another: as columns of the scores (across), and as rows that are summed over (along).
    Buffer<Element> q_across, q_along, dout_across, dout_along;
    Buffer<float> dq_transposed, lse, delta;
    Buffer<float> dk, dv;                              // of one head of keys
    Buffer<char> q_begun, k_begun;                     // for each block of queries and strip of keys, whether there are sums of them
    Buffer<float> scores, dweights;                    // of a strip of keys and a block of queries
    Buffer<Element> weights, dscores, dscores_across;  // the last of a tile of keys

    void reserve(const Attention& p) {
        const int64_t blocks = blocks_of(p.queries), width = round_up(p.dim, lanes);
        q_across.resize(blocks * packed_size<Operand>(p.dim, query_block));
        q_along.resize(blocks * packed_size<Operand>(query_block, p.dim));
        dout_across.resize(blocks * packed_size<Operand>(p.dim, query_block));
        dout_along.resize(blocks * packed_size<Operand>(query_block, p.dim));
        dq_transposed.resize(blocks * query_block * p.dim);
        lse.resize(blocks * query_block);
        delta.resize(blocks * query_block);
        dk.resize(p.keys * width);
        dv.resize(p.keys * width);
        q_begun.resize(blocks);
        k_begun.resize((p.keys + strip - 1) / strip);
        scores.resize(strip * query_block);
        dweights.resize(strip * query_block);
        weights.resize(strip * query_block);
        dscores.resize(strip * query_block);
        dscores_across.resize(packed_size<Operand>(block_keys, query_block));
    }

    static int64_t blocks_of(int64_t queries) { return (queries + query_block - 1) / query_block; }
};

// Sums of which nothing was begun are zero. Each flag stands for a block of rows of `width` sums.
inline void clear_others(Buffer<float>& sums, const Buffer<char>& begun, int64_t rows, int64_t block, int64_t width) {
    for (int64_t row = 0; row < rows; row += block)
        if (!begun.data()[row / block]) std::memset(sums.data() + row * width, 0, static_cast<size_t>(smaller(block, rows - row) * width) * sizeof(float));
}

// One head of queries against its keys.
template <class Operand, class T>
class BackwardHead {
public:
    BackwardHead(const Attention& problem, const AttentionGradient& gradient, int64_t sequence, int64_t head, BackwardScratch<Operand>& scratch,
                 RowsAhead& ahead)
        : p(problem),
          s(scratch),
          ahead(ahead),
          mask{p.q_documents_of(sequence), p.k_documents_of(sequence), p.diagonal},
          place(p.q_offset(sequence, head)),
          width(round_up(p.dim, lanes)),
          across(packed_size<Operand>(p.dim, query_block)),
          along(packed_size<Operand>(query_block, p.dim)),
          k(static_cast<const T*>(p.k) + p.k_offset(sequence, head / p.group())),
          v(static_cast<const T*>(p.v) + p.k_offset(sequence, head / p.group())) {
        prepare(static_cast<const T*>(gradient.dout) + place, gradient.lse + p.row_offset(sequence, head), gradient.delta + p.row_offset(sequence, head));
    }

    // Adds to the sums of the gradients of keys and values, and leaves the queries' transposed in the scratch.
    void run() {
        for (int64_t key = 0; key < p.keys; key += block_keys) {
            const int64_t keys = smaller(block_keys, p.keys - key), first_block = larger(0, key - p.diagonal) / query_block;
            if (first_block * query_block >= p.queries) break;
            key_rows.take(k + key * p.k_stride(), p.k_stride(), keys, p.dim);
            value_rows.take(v + key * p.k_stride(), p.k_stride(), keys, p.dim);
            key_columns.take(key_rows, keys, p.dim);
            for (int64_t b = first_block; b * query_block < p.queries; b++) meet(b, smaller(query_block, p.queries - b * query_block), key, keys);
        }
        clear_others(s.dq_transposed, s.q_begun, round_up(p.queries, query_block), query_block, p.dim);
    }

    template <class G>
    void store_queries(G* dq) const {
        for (int64_t query = 0; query < p.queries; query += lanes) {
            const int64_t b = query / query_block;
            store_transposed(s.dq_transposed.data() + b * query_block * p.dim + query % query_block, query_block, all(1.0f), p.queries - query,
                             p.dim, dq + place + query * p.q_stride(), p.q_stride());
        }
    }

private:
    const Attention& p;
    BackwardScratch<Operand>& s;
    RowsAhead& ahead;
    const Mask mask;
    const int64_t place, width, across, along;
    const T *k, *v;
    LeftRows<Operand, T> key_rows, value_rows;
    LeftColumns<Operand> key_columns;

    void prepare(const T* dout, const float* lse, const float* delta) {
        const T* q = static_cast<const T*>(p.q) + place;
        const int64_t stride = p.q_stride();
        for (int64_t first = 0, b = 0; first < p.queries; first += query_block, b++) {
            const int64_t rows = smaller(query_block, p.queries - first);
            pack<Operand>(q + first * stride, 1, stride, p.dim, rows, s.q_across.data() + b * across);
            pack<Operand>(q + first * stride, stride, 1, rows, p.dim, s.q_along.data() + b * along);
            pack<Operand>(dout + first * stride, 1, stride, p.dim, rows, s.dout_across.data() + b * across);
            pack<Operand>(dout + first * stride, stride, 1, rows, p.dim, s.dout_along.data() + b * along);
        }
        const int64_t padded = BackwardScratch<Operand>::blocks_of(p.queries) * query_block;
        for (int64_t i = 0; i < padded; i++) {
            s.lse[i] = i < p.queries ? lse[i] * log2_e : 0.0f;
            s.delta[i] = i < p.queries ? delta[i] : 0.0f;
        }
        s.q_begun.fill(0);
    }

    // A tile of keys and block b of the queries.
    void meet(int64_t b, int64_t wide, int64_t key, int64_t keys) {
        const int64_t query = b * query_block;
        const auto visibility = mask.of(query, wide, key, keys);
        if (visibility == Visibility::None) return;
        // Keys that lie right of all diagonals are left out.
        const int64_t seen = smaller(keys, query + wide + p.diagonal - key);
        const Right<Operand> q{s.q_across.data() + b * across, p.dim, wide}, dout{s.dout_across.data() + b * across, p.dim, wide};
        for (int64_t row = 0; row < seen; row += strip) {
            const int64_t height = smaller(strip, seen - row);
            for_heights(mask, query, wide, key + row, height, [&](int64_t from, int64_t end, int64_t rows) {
                product<Operand>(rows, from, end, p.dim, key_rows.from(row), q, s.scores.data(), query_block, false);
                product<Operand>(rows, from, end, p.dim, value_rows.from(row), dout, s.dweights.data(), query_block, false);
            });
            for (int64_t column = 0; column < wide; column += lanes) gradients(b, column, wide, visibility, key, row, height);
            sum_keys(b, wide, key + row, height);
        }
        float* dq = s.dq_transposed.data() + b * query_block * p.dim;
        for_heights(mask, query, wide, key, seen, [&](int64_t from, int64_t end, int64_t rows) {
            product<Operand>(p.dim, from, end, rows, key_columns.all(), {s.dscores_across.data(), block_keys, wide}, dq, query_block, s.q_begun[b]);
        });
        s.q_begun[b] = 1;
    }

    // Adds to the gradients of a strip of keys and values from block b of the queries; halves of a strip on the diagonal skip the queries left of them.
    void sum_keys(int64_t b, int64_t wide, int64_t key, int64_t height) {
        constexpr int64_t group = 2 * lanes;
        const bool add = s.k_begun[key / strip];
        if (!add) begin_strip(key, height);
        const bool whole = key + height - 1 - p.diagonal <= b * query_block;
        for (int64_t row = 0; row < height; row += whole ? height : group) {
            const int64_t rows = whole ? height : smaller(group, height - row), at = row * query_block;
            const int64_t skipped = whole ? 0 : smaller(larger(0, key + row - p.diagonal - b * query_block), wide) / group * group, left = wide - skipped;
            product<Operand>(rows, 0, p.dim, left, {s.weights.data() + at + skipped, query_block}, {s.dout_along.data() + b * along, wide, p.dim, skipped},
                             s.dv.data() + (key + row) * width, width, add);
            product<Operand>(rows, 0, p.dim, left, {s.dscores.data() + at + skipped, query_block}, {s.q_along.data() + b * along, wide, p.dim, skipped},
                             s.dk.data() + (key + row) * width, width, add);
        }
    }

    // Keys of a strip that its first block of queries does not see have no sums yet.
    void begin_strip(int64_t key, int64_t height) {
        const int64_t unseen = smaller(strip, p.keys - key) - height, at = (key + height) * width;
        std::memset(s.dk.data() + at, 0, static_cast<size_t>(unseen * width) * sizeof(float));
        std::memset(s.dv.data() + at, 0, static_cast<size_t>(unseen * width) * sizeof(float));
        s.k_begun[key / strip] = 1;
    }

    // Weights and gradients of the scores of a strip of keys and a register of queries, as operands of the next products.
    void gradients(int64_t b, int64_t column, int64_t wide, Visibility of_all, int64_t key, int64_t row, int64_t height) {
        const int64_t query = b * query_block + column, end = b * query_block + wide;
        Visibility cells[strip / cell];
        look(mask, of_all, query, smaller(lanes, wide - column), key + row, height, cells);
        const int64_t stride = packed_at<Operand>(block_keys, wide, Operand::pair, column) - packed_at<Operand>(block_keys, wide, 0, column);
        for (int64_t first = 0, c = 0; first < height; first += cell, c++) {
            for (int64_t i = 0; i < cell; i += 4) ahead.fetch();
            auto* across = s.dscores_across.data() + packed_at<Operand>(block_keys, wide, row + first, column);
            const int64_t at = first * query_block + column, keys = smaller(cell, height - first);
            const auto visibility = cells[c];
            if (visibility == Visibility::All && keys == cell)
                cell_gradients(at, cell, query, across, stride, [](int64_t, Lanes values) { return values; });
            else if (visibility != Visibility::None)
                cell_gradients(at, keys, query, across, stride, [&](int64_t i, Lanes values) {
                    return where(i < keys ? queries_of(mask, query, end, key + row + first + i) : Words{}, values, Lanes{});
                });
            else cell_gradients(at, keys, query, across, stride, [](int64_t, Lanes) { return Lanes{}; });
        }
    }

    // Of `count` keys from `at` in the strip's scores; seen(i, values): the values of key i, zero for queries that do not see it.
    template <class Seen>
    void cell_gradients(int64_t at, int64_t count, int64_t query, typename Operand::Element* across, int64_t stride, Seen&& seen) {
        constexpr int pair = Operand::pair;
        const Lanes lse = load_lanes(s.lse.data() + query), delta = load_lanes(s.delta.data() + query);
        const float scale = p.scale, scale2 = p.scale * log2_e;
        const float *scores = s.scores.data() + at, *dweights = s.dweights.data() + at;
        auto *weights = s.weights.data() + at, *dscores = s.dscores.data() + at;
#pragma GCC unroll 2
        for (int64_t row = 0; row < count; row += pair, across += stride) {
            Lanes slopes[pair];
            for (int64_t i = 0; i < pair; i++) {
                const int64_t place = (row + i) * query_block;
                const Lanes weight = power_of_two(load_lanes(scores + place) * scale2 - lse);
                slopes[i] = seen(row + i, weight * (load_lanes(dweights + place) - delta) * scale);
                store_lanes(weights + place, seen(row + i, weight));
                store_lanes(dscores + place, slopes[i]);
            }
            store_step(across, slopes);
        }
    }
};

template <class G>
void store_rows(const float* sums, int64_t width, int64_t rows, int64_t dim, G* out, int64_t stride) {
    for (int64_t row = 0; row < rows; row++)
        for_row(dim, [&](int64_t i, int64_t, auto part) { part.store(out + row * stride + i, part.load(sums + row * width + i)); });
}

template <class Operand, class T, class G>
void backward(const Attention& p, const AttentionGradient& g) {
    const int64_t items = p.batch * p.kv_heads, width = round_up(p.dim, lanes);
    const int team = static_cast<int>(smaller(omp_get_max_threads(), larger(1, items)));
    BackwardScratch<Operand>* const scratch = scratch_of<BackwardScratch<Operand>>(team);
    for (int i = 0; i < team; i++) scratch[i].reserve(p);
#pragma omp parallel for num_threads(team) schedule(dynamic)
    for (int64_t item = 0; item < items; item++) {
        BackwardScratch<Operand>& s = scratch[omp_get_thread_num()];
        const int64_t sequence = item / p.kv_heads, kv_head = item % p.kv_heads, place = p.k_offset(sequence, kv_head);
        RowsAhead ahead = item + team < items ? backward_rows<T>(p, g, item + team) : RowsAhead();
        s.k_begun.fill(0);
        for (int64_t head = kv_head * p.group(); head < (kv_head + 1) * p.group(); head++) {
            BackwardHead<Operand, T> work(p, g, sequence, head, s, ahead);
            work.run();
            work.store_queries(static_cast<G*>(g.dq));
        }
        clear_others(s.dk, s.k_begun, p.keys, strip, width);
        clear_others(s.dv, s.k_begun, p.keys, strip, width);
        store_rows(s.dk.data(), width, p.keys, p.dim, static_cast<G*>(g.dk) + place, p.k_stride());
        store_rows(s.dv.data(), width, p.keys, p.dim, static_cast<G*>(g.dv) + place, p.k_stride());
    }
}

}  // namespace

void attention_backward(const Attention& problem, const AttentionGradient& gradient) {
    if (problem.type == 0) backward<Fp32Operand, float, float>(problem, gradient);
    else if (gradient.type == 1) backward<HalfOperand, Bf16, Bf16>(problem, gradient);
    else backward<HalfOperand, Bf16, float>(problem, gradient);
}

}  // namespace uniscale::UNISCALE_SIMD
