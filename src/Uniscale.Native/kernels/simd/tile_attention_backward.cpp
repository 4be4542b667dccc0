// Attention's backward on tiles: like attention_forward.cpp. The scores of a tile lie keys down and queries across; the gradient of the
// queries is summed transposed, dims down and queries across, because that is how the scores' gradients fit.
#include <omp.h>

#include "tile_attention.h"
#include "team_scratch.h"

namespace uniscale::amx {
namespace {

constexpr int64_t tile = 256;  // queries and keys
constexpr int64_t tile_steps = tile / tile_depth, tile_blocks = tile / block, along_bytes = tile_steps * block_step_bytes;

// Operands are packed across (their rows are columns of the scores) or along (their rows are summed over).
struct BackwardScratch {
    Buffer<char> q_across, dout_across, q_along, dout_along;  // of one head
    Buffer<float> dq_transposed, lse, delta;
    Buffer<float> dk, dv;                           // of one head of keys
    Buffer<char> q_begun, k_begun;                  // for each 32 queries and keys, whether there are sums of them
    Buffer<char> keys, values, keys_transposed;     // of one tile of keys
    Buffer<float> scores, dweights;                 // of 32 keys and one tile of queries
    Buffer<char> weights, dscores, dscores_across;  // of 32 keys, twice; the last of a whole tile

    void reserve(const Attention& p) {
        const int64_t steps = steps_of(p.dim), blocks = blocks_of(p.dim), q_tiles = (p.queries + tile - 1) / tile;
        const int64_t q_blocks = blocks_of(p.queries), k_blocks = blocks_of(p.keys);
        q_across.resize(q_blocks * steps * block_step_bytes);
        dout_across.resize(q_blocks * steps * block_step_bytes);
        q_along.resize(q_tiles * blocks * along_bytes);
        dout_along.resize(q_tiles * blocks * along_bytes);
        dq_transposed.resize(q_blocks * blocks * block_floats);
        lse.resize(q_blocks * block);
        delta.resize(q_blocks * block);
        dk.resize(k_blocks * blocks * block_floats);
        dv.resize(k_blocks * blocks * block_floats);
        q_begun.resize(q_blocks);
        k_begun.resize(k_blocks);
        keys.resize(tile_blocks * steps * block_step_bytes);
        values.resize(tile_blocks * steps * block_step_bytes);
        keys_transposed.resize(blocks * along_bytes);
        scores.resize(tile_blocks * block_floats);
        dweights.resize(tile_blocks * block_floats);
        weights.resize(2 * along_bytes);
        dscores.resize(2 * along_bytes);
        dscores_across.resize(tile_blocks * along_bytes);
    }
};

// Blocks of 32 rows that nothing was added to: zero.
inline void clear_others(Buffer<float>& sums, const Buffer<char>& begun, int64_t rows, int64_t dim) {
    const int64_t floats = blocks_of(dim) * block_floats;
    for (int64_t b = 0; b < blocks_of(rows); b++)
        if (begun.data()[b] == 0) std::memset(sums.data() + b * floats, 0, static_cast<size_t>(floats) * sizeof(float));
}

// One head of queries against its keys.
class BackwardHead {
public:
    BackwardHead(const Attention& problem, const AttentionGradient& gradient, int64_t sequence, int64_t head, BackwardScratch& scratch,
                 RowsAhead& ahead)
        : p(problem),
          s(scratch),
          ahead(ahead),
          mask{p.q_documents_of(sequence), p.k_documents_of(sequence), p.diagonal},
          steps(steps_of(p.dim)),
          blocks(blocks_of(p.dim)),
          place(p.q_offset(sequence, head)),
          q(static_cast<const Bf16*>(p.q) + place),
          dout(static_cast<const Bf16*>(gradient.dout) + place),
          k(static_cast<const Bf16*>(p.k) + p.k_offset(sequence, head / p.group())),
          v(static_cast<const Bf16*>(p.v) + p.k_offset(sequence, head / p.group())) {
        prepare(gradient.lse + p.row_offset(sequence, head), gradient.delta + p.row_offset(sequence, head));
    }

    // Adds to the sums of the gradients of keys and values, and leaves the queries' transposed in the scratch.
    void run() {
        for (int64_t key = 0; key < p.keys; key += tile) {
            const int64_t keys = smaller(tile, p.keys - key), across = steps * block_step_bytes;
            const int64_t first_tile = larger(0, key - p.diagonal) / tile;
            if (first_tile * tile >= p.queries) break;
            pack<false>({k, p.k_stride(), true}, key, keys, 0, p.dim, s.keys.data(), across);
            pack<false>({v, p.k_stride(), true}, key, keys, 0, p.dim, s.values.data(), across);
            pack<false>({k, p.k_stride(), false}, 0, p.dim, key, keys, s.keys_transposed.data(), along_bytes);
            for (int64_t query = first_tile * tile; query < p.queries; query += tile) {
                const int64_t queries = smaller(tile, p.queries - query);
                const auto visibility = mask.of(query, queries, key, keys);
                if (visibility != Visibility::None) tiles(query, queries, key, keys, visibility);
            }
        }
        clear_others(s.dq_transposed, s.q_begun, p.queries, p.dim);
    }

    void store_queries(Bf16* dq, bool streams) const {
        for (int64_t query = 0; query < p.queries; query += 16)
            for (int64_t b = 0; b < blocks; b++) {
                __m512i words[16];
                transpose_sums(words, s.dq_transposed.data() + (query / block * blocks + b) * block_floats, query % block / 16, 0xffff,
                               _mm512_set1_ps(1.0f));
                for (int64_t i = 0; i < 16 && query + i < p.queries; i++)
                    store_line(dq + place + (query + i) * p.q_stride() + b * block, p.dim - b * block, words[i], streams);
            }
    }

    void store_queries(float* dq, bool) const {
        for (int64_t query = 0; query < p.queries; query += 16)
            for (int64_t dim = 0; dim < p.dim; dim += 16) {
                const float* sums = s.dq_transposed.data() + (query / block * blocks + dim / block) * block_floats +
                                    sums_at(dim % block, query % block / 16);
                __m512i words[16];
                for (int row = 0; row < 16; row++) words[row] = _mm512_load_si512(sums + row * 16);
                transpose_words(words);
                for (int64_t row = 0; row < 16 && query + row < p.queries; row++)
                    _mm512_mask_storeu_epi32(dq + place + (query + row) * p.q_stride() + dim, lanes_before(p.dim - dim), words[row]);
            }
    }

private:
    const Attention& p;
    BackwardScratch& s;
    RowsAhead& ahead;
    const Mask mask;
    const int64_t steps, blocks, place;
    const Bf16 *q, *dout, *k, *v;

    void prepare(const float* lse, const float* delta) {
        const int64_t across = steps * block_step_bytes;
        pack<true>({q, p.q_stride(), true}, 0, p.queries, 0, p.dim, s.q_across.data(), across);
        pack<true>({dout, p.q_stride(), true}, 0, p.queries, 0, p.dim, s.dout_across.data(), across);
        for (int64_t query = 0; query < p.queries; query += tile) {
            const int64_t queries = smaller(tile, p.queries - query), at = query / tile * blocks * along_bytes;
            pack<true>({q, p.q_stride(), false}, 0, p.dim, query, queries, s.q_along.data() + at, along_bytes);
            pack<true>({dout, p.q_stride(), false}, 0, p.dim, query, queries, s.dout_along.data() + at, along_bytes);
        }
        for (int64_t i = 0; i < blocks_of(p.queries) * block; i++) {
            s.lse[i] = i < p.queries ? lse[i] * log2_e : 0.0f;
            s.delta[i] = i < p.queries ? delta[i] : 0.0f;
        }
        s.q_begun.fill(0);
    }

    // 32 keys of a tile, whose weights and gradients of the scores are summed over the tile's queries from block `first` on.
    struct Rows {
        int64_t row, first, last;
    };

    // A block of scores that become weights and gradients, pair of keys after pair, beside the multiplications for others: those and
    // vector instructions take different parts of the processor, but it finds both only where they stand close together.
    struct Pending {
        int64_t c = 0, query = 0, queries = 0, key = 0, row = 0, keys = 0;
        bool whole = true;
        int64_t next = block / 2;
    } pending;

    void advance(int64_t pairs) {
        const int64_t from = pending.next, end = smaller(from + pairs, block / 2);
        if (from == end) return;
        if (pending.whole) gradients<false>(from, end);
        else gradients<true>(from, end);
        pending.next = end;
    }

    // The last multiplications of 32 keys wait until the next 32 have vector work to do beside them.
    void tiles(int64_t query, int64_t queries, int64_t key, int64_t keys, Visibility visibility) {
        const int64_t q_blocks = blocks_of(queries);
        int64_t depth[tile_blocks] = {};  // of each 32 queries: steps of keys that they see
        Rows before{0, 0, 0};
        for (int64_t row = 0; row < keys; row += block) {
            const int64_t height = smaller(block, keys - row), first = larger(0, key + row - p.diagonal - query) / block;
            if (first >= q_blocks) break;
            int64_t sum = before.first == before.last ? 2 * blocks : 0;
            for (int64_t c = first; c < q_blocks; c++) {
                multiply(c, query, queries - c * block, row, height);
                if (sum < 2 * blocks) sum_keys(sum++, before, query, key, keys);
                advance(block / 2);
                const bool whole = height == block && queries - c * block >= block &&
                                   (visibility == Visibility::All || mask.of(query + c * block, block, key + row, block) == Visibility::All);
                pending = {c, query, queries, key, row, keys, whole, 0};
                depth[c] = row / block + 1;
            }
            while (sum < 2 * blocks) sum_keys(sum++, before, query, key, keys);
            advance(block / 2);
            before = {row, first, q_blocks};
        }
        if (before.first == before.last) return;
        for (int64_t sum = 0; sum < 2 * blocks; sum++) sum_keys(sum, before, query, key, keys);
        for (int64_t c = 0; c < q_blocks; c++)
            if (depth[c] > 0) sum_queries(query / block + c, queries - c * block, depth[c], s.dscores_across.data() + c * along_bytes);
    }

    void sum_queries(int64_t q_block, int64_t wide, int64_t depth, const char* dscores) {
        for (int64_t b = 0; b < blocks; b++)
            register_block(p.dim - b * block, wide, depth, s.keys_transposed.data() + b * along_bytes, dscores,
                           s.dq_transposed.data() + (q_block * blocks + b) * block_floats, s.q_begun[q_block] != 0);
        s.q_begun[q_block] = 1;
    }

    // Scores and gradients of the weights of 32 keys × 32 queries.
    void multiply(int64_t c, int64_t query, int64_t wide, int64_t row, int64_t height) {
        const int64_t across = steps * block_step_bytes, left = row / block * across, right = (query / block + c) * across;
        const auto meanwhile = [this](int64_t) { advance(2); };
        register_block(height, wide, steps, s.keys.data() + left, s.q_across.data() + right, s.scores.data() + c * block_floats, false,
                       meanwhile);
        register_block(height, wide, steps, s.values.data() + left, s.dout_across.data() + right, s.dweights.data() + c * block_floats,
                       false, meanwhile);
    }

    // One of the blocks of 32 dims of the gradients of 32 values (even) and keys (odd).
    void sum_keys(int64_t index, const Rows& of, int64_t query, int64_t key, int64_t keys) {
        const int64_t b = index / 2, first = of.first * block_step_bytes, side = of.row / block % 2 * along_bytes;
        const int64_t k_block = (key + of.row) / block, right = (query / tile * blocks + b) * along_bytes + first;
        const auto meanwhile = [this](int64_t) { advance(1); };
        const bool of_values = index % 2 == 0;
        register_block(smaller(block, keys - of.row), p.dim - b * block, of.last - of.first,
                       (of_values ? s.weights : s.dscores).data() + side + first, (of_values ? s.dout_along : s.q_along).data() + right,
                       (of_values ? s.dv : s.dk).data() + (k_block * blocks + b) * block_floats, s.k_begun[k_block] != 0, meanwhile);
        if (index == 2 * blocks - 1) s.k_begun[k_block] = 1;
    }

    // Weights and gradients of the scores of 32 keys × 32 queries become operands: rows of keys, and of dscores pairs of keys too.
    template <bool masked>
    void gradients(int64_t first_pair, int64_t end_pair) {
        const auto [c, query, queries, key, row, keys, whole, next] = pending;
        const __m512 scale = _mm512_set1_ps(p.scale), scale2 = _mm512_set1_ps(p.scale * log2_e);
        const __m512i pairs = pair_places();
        const int64_t from = query + c * block;
        const float *scores = s.scores.data() + c * block_floats, *dweights = s.dweights.data() + c * block_floats;
        char *weights = s.weights.data() + row / block % 2 * along_bytes, *dscores = s.dscores.data() + row / block % 2 * along_bytes;
        char* across = s.dscores_across.data() + c * along_bytes + row / block * block_step_bytes;
        __m512 lse[2], delta[2];
        for (int h = 0; h < 2; h++) {
            lse[h] = _mm512_load_ps(s.lse.data() + from + h * 16);
            delta[h] = _mm512_load_ps(s.delta.data() + from + h * 16);
        }
        for (int64_t pair = first_pair; pair < end_pair; pair++) {
            if (pair % 2 == 0) ahead.fetch();
            __m512 dscore[2][2];
            for (int64_t r = 0; r < 2; r++) {
                const int64_t i = pair * 2 + r, line = c * block_step_bytes + i / 16 * tile_bytes + i % 16 * 64;
                __m512 weight[2];
                for (int h = 0; h < 2; h++) {
                    weight[h] = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + sums_at(i, h)), scale2, lse[h]));
                    const __m512 slope = _mm512_sub_ps(_mm512_load_ps(dweights + sums_at(i, h)), delta[h]);
                    dscore[r][h] = _mm512_mul_ps(_mm512_mul_ps(weight[h], slope), scale);
                    if constexpr (masked) {
                        const __mmask16 lanes = row + i < keys ? queries_of(mask, from + h * 16, query + queries, key + row + i) : 0;
                        weight[h] = _mm512_maskz_mov_ps(lanes, weight[h]);
                        dscore[r][h] = _mm512_maskz_mov_ps(lanes, dscore[r][h]);
                    }
                }
                _mm512_store_si512(weights + line, halves(weight[0], weight[1]));
                _mm512_store_si512(dscores + line, halves(dscore[r][0], dscore[r][1]));
            }
            for (int h = 0; h < 2; h++)
                _mm512_store_si512(across + h * tile_bytes + pair * 64, _mm512_permutexvar_epi16(pairs, halves(dscore[0][h], dscore[1][h])));
        }
    }
};

inline void store_block(Bf16* out, int64_t left, __m512 low, __m512 high, bool streams) { store_line(out, left, halves(low, high), streams); }
inline void store_block(float* out, int64_t left, __m512 low, __m512 high, bool) {
    _mm512_mask_storeu_ps(out, lanes_before(left), low);
    _mm512_mask_storeu_ps(out + 16, lanes_before(left - 16), high);
}

template <class G>
void store_keys(const Attention& p, const Buffer<float>& sums, G* out, bool streams) {
    const int64_t blocks = blocks_of(p.dim);
    for (int64_t row = 0; row < p.keys; row++)
        for (int64_t b = 0; b < blocks; b++) {
            const float* at = sums.data() + (row / block * blocks + b) * block_floats + sums_at(row % block, 0);
            store_block(out + row * p.k_stride() + b * block, p.dim - b * block, _mm512_load_ps(at), _mm512_load_ps(at + 256), streams);
        }
}

template <class G>
void backward(const Attention& p, const AttentionGradient& g) {
    const int64_t items = p.batch * p.kv_heads, row_bytes = p.dim * static_cast<int64_t>(sizeof(G));
    const int team = static_cast<int>(smaller(omp_get_max_threads(), larger(1, items)));
    const bool q_streams = goes_past_cache(g.dq, p.batch * p.queries * p.heads, row_bytes);
    const bool k_streams = goes_past_cache(g.dk, p.batch * p.keys * p.kv_heads, row_bytes) &&
                           goes_past_cache(g.dv, p.batch * p.keys * p.kv_heads, row_bytes);
    BackwardScratch* const scratch = scratch_of<BackwardScratch>(team);
    for (int i = 0; i < team; i++) scratch[i].reserve(p);
#pragma omp parallel num_threads(team)
    {
        const Tiles tiles;
        BackwardScratch& s = scratch[omp_get_thread_num()];
#pragma omp for schedule(dynamic)
        for (int64_t item = 0; item < items; item++) {
            const int64_t sequence = item / p.kv_heads, kv_head = item % p.kv_heads;
            RowsAhead ahead = item + team < items ? backward_rows<Bf16>(p, g, item + team) : RowsAhead();
            s.k_begun.fill(0);
            for (int64_t head = kv_head * p.group(); head < (kv_head + 1) * p.group(); head++) {
                BackwardHead work(p, g, sequence, head, s, ahead);
                work.run();
                work.store_queries(static_cast<G*>(g.dq), q_streams);
            }
            clear_others(s.dk, s.k_begun, p.keys, p.dim);
            clear_others(s.dv, s.k_begun, p.keys, p.dim);
            store_keys(p, s.dk, static_cast<G*>(g.dk) + p.k_offset(sequence, kv_head), k_streams);
            store_keys(p, s.dv, static_cast<G*>(g.dv) + p.k_offset(sequence, kv_head), k_streams);
        }
        if (q_streams || k_streams) _mm_sfence();
    }
}

}  // namespace

void attention_backward(const Attention& p, const AttentionGradient& gradient) {
    if (gradient.type == 1) backward<Bf16>(p, gradient);
    else backward<float>(p, gradient);
}

}  // namespace uniscale::amx
