// Attention's backward on tiles: like attention.cpp. The scores of a tile lie keys down and queries across; the gradient of the
// queries is summed transposed, dims down and queries across, because that is how the scores' gradients fit.
#include <omp.h>

#include "tile_attention.h"
#include "tile_scratch.h"

namespace uniscale::amx {
namespace {

constexpr int64_t tile = 128;  // queries and keys
constexpr int64_t tile_steps = tile / tile_depth, tile_blocks = tile / block, along_bytes = tile_steps * block_step_bytes;

// Operands are packed across (their rows are columns of the scores) or along (their rows are summed over).
struct BackwardScratch {
    Buffer<char> q_across, dout_across, q_along, dout_along;  // of one head
    Buffer<float> dq_transposed, lse, delta;
    Buffer<float> dk, dv;                           // of one head of keys
    Buffer<char> keys, values, keys_transposed;     // of one tile of keys
    Buffer<float> scores, dweights;                 // of 32 keys and one tile of queries
    Buffer<char> weights, dscores, dscores_across;  // the last of a whole tile

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
        keys.resize(tile_blocks * steps * block_step_bytes);
        values.resize(tile_blocks * steps * block_step_bytes);
        keys_transposed.resize(blocks * along_bytes);
        scores.resize(tile_blocks * block_floats);
        dweights.resize(tile_blocks * block_floats);
        weights.resize(along_bytes);
        dscores.resize(along_bytes);
        dscores_across.resize(tile_blocks * along_bytes);
    }
};

inline void store_lanes(float* out, __mmask16 lanes, __m512 values) { _mm512_mask_storeu_ps(out, lanes, values); }
inline void store_lanes(Bf16* out, __mmask16 lanes, __m512 values) {
    _mm256_mask_storeu_epi16(out, lanes, (__m256i)_mm512_cvtneps_pbh(values));
}

// One head of queries against its keys.
class BackwardHead {
public:
    BackwardHead(const Attention& problem, const AttentionGradient& gradient, int64_t sequence, int64_t head, BackwardScratch& scratch)
        : p(problem),
          s(scratch),
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

    // Adds to the gradients of keys and values, and leaves the queries' transposed in the scratch.
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
    }

    template <class G>
    void store_queries(G* dq) {
        dq += place;
        for (int64_t query = 0; query < p.queries; query += 16)
            for (int64_t dim = 0; dim < p.dim; dim += 16) {
                const float* sums = s.dq_transposed.data() + (query / block * blocks + dim / block) * block_floats +
                                    sums_at(dim % block, query % block / 16);
                __m512i words[16];
                for (int row = 0; row < 16; row++) words[row] = _mm512_load_si512(sums + row * 16);
                transpose_words(words);
                for (int row = 0; row < 16 && query + row < p.queries; row++)
                    store_lanes(dq + (query + row) * p.q_stride() + dim, lanes_before(p.dim - dim), _mm512_castsi512_ps(words[row]));
            }
    }

private:
    const Attention& p;
    BackwardScratch& s;
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
        s.dq_transposed.fill(0.0f);
    }

    void tiles(int64_t query, int64_t queries, int64_t key, int64_t keys, Visibility visibility) {
        const int64_t across = steps * block_step_bytes, q_blocks = blocks_of(queries);
        const char* q_across = s.q_across.data() + query / block * across;
        const char* dout_across = s.dout_across.data() + query / block * across;
        const int64_t along = query / tile * blocks * along_bytes;
        int64_t depth[tile_blocks] = {};  // of each 32 queries: steps of keys that they see
        for (int64_t row = 0; row < keys; row += block) {
            const int64_t height = smaller(block, keys - row), first = larger(0, key + row - p.diagonal - query) / block;
            if (first >= q_blocks) break;
            for (int64_t c = first; c < q_blocks; c++) {
                const int64_t wide = queries - c * block;
                register_block(height, wide, steps, s.keys.data() + row / block * across, q_across + c * across,
                               s.scores.data() + c * block_floats, false);
                register_block(height, wide, steps, s.values.data() + row / block * across, dout_across + c * across,
                               s.dweights.data() + c * block_floats, false);
                const bool whole = height == block && wide >= block &&
                                   (visibility == Visibility::All || mask.of(query + c * block, block, key + row, block) == Visibility::All);
                if (whole) gradients<false>(c, query, queries, key, row, keys);
                else gradients<true>(c, query, queries, key, row, keys);
                depth[c] = row / block + 1;
            }
            for (int64_t b = 0; b < blocks; b++) {
                const int64_t at = along + b * along_bytes + first * block_step_bytes, sums = ((key + row) / block * blocks + b) * block_floats;
                register_block(height, p.dim - b * block, q_blocks - first, s.weights.data() + first * block_step_bytes,
                               s.dout_along.data() + at, s.dv.data() + sums, true);
                register_block(height, p.dim - b * block, q_blocks - first, s.dscores.data() + first * block_step_bytes,
                               s.q_along.data() + at, s.dk.data() + sums, true);
            }
        }
        for (int64_t c = 0; c < q_blocks; c++)
            for (int64_t b = 0; b < blocks && depth[c] > 0; b++)
                register_block(p.dim - b * block, queries - c * block, depth[c], s.keys_transposed.data() + b * along_bytes,
                               s.dscores_across.data() + c * along_bytes,
                               s.dq_transposed.data() + ((query / block + c) * blocks + b) * block_floats, true);
    }

    // Queries 16·half.. of block c that see this key.
    __mmask16 visible(int64_t from, int64_t end, int64_t key, bool inside) const {
        if (!inside) return 0;
        const auto lanes = static_cast<__mmask16>(lanes_from(key - p.diagonal - from) & lanes_before(end - from));
        if (mask.q_documents == nullptr || lanes == 0) return lanes;
        return of_document(mask.q_documents + from, mask.k_documents[key], lanes);
    }

    // Weights and gradients of the scores of 32 keys × 32 queries become operands: rows of keys, and of dscores pairs of keys too.
    template <bool masked>
    void gradients(int64_t c, int64_t query, int64_t queries, int64_t key, int64_t row, int64_t keys) {
        const __m512 scale = _mm512_set1_ps(p.scale), scale2 = _mm512_set1_ps(p.scale * log2_e);
        const __m512i pairs = pair_places();
        const int64_t from = query + c * block;
        const float *scores = s.scores.data() + c * block_floats, *dweights = s.dweights.data() + c * block_floats;
        char* across = s.dscores_across.data() + c * along_bytes + row / block * block_step_bytes;
        __m512 lse[2], delta[2];
        for (int h = 0; h < 2; h++) {
            lse[h] = _mm512_load_ps(s.lse.data() + from + h * 16);
            delta[h] = _mm512_load_ps(s.delta.data() + from + h * 16);
        }
        for (int64_t pair = 0; pair < block / 2; pair++) {
            __m512 dscore[2][2];
            for (int64_t r = 0; r < 2; r++) {
                const int64_t i = pair * 2 + r, line = c * block_step_bytes + i / 16 * tile_bytes + i % 16 * 64;
                __m512 weight[2];
                for (int h = 0; h < 2; h++) {
                    weight[h] = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + sums_at(i, h)), scale2, lse[h]));
                    const __m512 slope = _mm512_sub_ps(_mm512_load_ps(dweights + sums_at(i, h)), delta[h]);
                    dscore[r][h] = _mm512_mul_ps(_mm512_mul_ps(weight[h], slope), scale);
                    if constexpr (masked) {
                        const __mmask16 lanes = visible(from + h * 16, query + queries, key + row + i, row + i < keys);
                        weight[h] = _mm512_maskz_mov_ps(lanes, weight[h]);
                        dscore[r][h] = _mm512_maskz_mov_ps(lanes, dscore[r][h]);
                    }
                }
                _mm512_store_si512(s.weights.data() + line, halves(weight[0], weight[1]));
                _mm512_store_si512(s.dscores.data() + line, halves(dscore[r][0], dscore[r][1]));
            }
            for (int h = 0; h < 2; h++)
                _mm512_store_si512(across + h * tile_bytes + pair * 64, _mm512_permutexvar_epi16(pairs, halves(dscore[0][h], dscore[1][h])));
        }
    }
};

template <class G>
void store_keys(const Attention& p, const Buffer<float>& sums, G* out) {
    const int64_t blocks = blocks_of(p.dim);
    for (int64_t row = 0; row < p.keys; row++)
        for (int64_t dim = 0; dim < p.dim; dim += 16)
            store_lanes(out + row * p.k_stride() + dim, lanes_before(p.dim - dim),
                        _mm512_load_ps(sums.data() + (row / block * blocks + dim / block) * block_floats + sums_at(row % block, dim % block / 16)));
}

template <class G>
void backward(const Attention& p, const AttentionGradient& g) {
    const int team = static_cast<int>(smaller(omp_get_max_threads(), larger(1, p.batch * p.kv_heads)));
    BackwardScratch* const scratch = scratch_of<BackwardScratch>(team);
    for (int i = 0; i < team; i++) scratch[i].reserve(p);
#pragma omp parallel num_threads(team)
    {
        const Tiles tiles;
        BackwardScratch& s = scratch[omp_get_thread_num()];
#pragma omp for collapse(2) schedule(dynamic)
        for (int64_t sequence = 0; sequence < p.batch; sequence++)
            for (int64_t kv_head = 0; kv_head < p.kv_heads; kv_head++) {
                s.dk.fill(0.0f);
                s.dv.fill(0.0f);
                for (int64_t head = kv_head * p.group(); head < (kv_head + 1) * p.group(); head++) {
                    BackwardHead work(p, g, sequence, head, s);
                    work.run();
                    work.store_queries(static_cast<G*>(g.dq));
                }
                store_keys(p, s.dk, static_cast<G*>(g.dk) + p.k_offset(sequence, kv_head));
                store_keys(p, s.dv, static_cast<G*>(g.dv) + p.k_offset(sequence, kv_head));
            }
    }
}

}  // namespace

void attention_backward(const Attention& p, const AttentionGradient& gradient) {
    if (gradient.type == 1) backward<Bf16>(p, gradient);
    else backward<float>(p, gradient);
}

}  // namespace uniscale::amx
