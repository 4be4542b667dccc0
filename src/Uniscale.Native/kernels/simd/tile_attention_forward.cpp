// Attention's forward on tiles: like attention_forward.cpp, which says where the method comes from. The scores of a tile lie keys down and
// queries across, so that the maximum and the sum of 16 queries run along the lanes, and the output is summed transposed.
#include <omp.h>

#include "tile_attention.h"
#include "team_scratch.h"

namespace uniscale::amx {
namespace {

constexpr int64_t key_tile = 256;
constexpr int64_t weights_bytes = key_tile / tile_depth * block_step_bytes;
constexpr int64_t cell = 16, cell_floats = cell * cell;  // scores of 16 keys × 16 queries: what one tile of sums holds

struct ForwardScratch {
    Buffer<char> queries, keys, values, weights;
    Buffer<float> scores, sums, top, total;

    void reserve(int64_t dim) {
        const int64_t steps = steps_of(dim), blocks = blocks_of(dim);
        queries.resize(query_range / block * steps * block_step_bytes);
        keys.resize(key_tile / block * steps * block_step_bytes);
        values.resize(blocks * weights_bytes);
        weights.resize(weights_bytes);
        scores.resize(key_tile / block * block_floats);
        sums.resize(query_range / block * blocks * block_floats);
        top.resize(query_range);
        total.resize(query_range);
    }
};

// One head's queries [first, first + count) over all their keys. Scores are in powers of two: times the scale and log2 e.
class ForwardRange {
public:
    ForwardRange(const Attention& problem, const ForwardItem& item, ForwardScratch& scratch, RowsAhead& ahead, bool streams)
        : p(problem),
          s(scratch),
          ahead(ahead),
          streams(streams),
          mask{p.q_documents_of(item.sequence), p.k_documents_of(item.sequence), p.diagonal},
          first(item.first),
          count(item.count),
          steps(steps_of(p.dim)),
          blocks(blocks_of(p.dim)),
          place(item.q_offset(p)),
          k{static_cast<const Bf16*>(p.k) + item.k_offset(p), p.k_stride(), true},
          v{static_cast<const Bf16*>(p.v) + item.k_offset(p), p.k_stride(), false} {}

    void run(Bf16* out, float* lse) {
        pack<true>({static_cast<const Bf16*>(p.q) + place, p.q_stride(), true}, 0, count, 0, p.dim, s.queries.data(),
                   steps * block_step_bytes);
        s.top.fill(-__builtin_inff());
        s.total.fill(0.0f);
        const int64_t end = key_end(p, first + count - 1);
        for (int64_t key = 0; key < end; key += key_tile) {
            const int64_t keys = smaller(key_tile, end - key);
            if (mask.of(first, count, key, keys) == Visibility::None) continue;
            pack<false>(k, key, keys, 0, p.dim, s.keys.data(), steps * block_step_bytes);
            pack<false>(v, 0, p.dim, key, keys, s.values.data(), weights_bytes);
            for (int64_t offset = 0; offset < count; offset += block) columns(offset, smaller(block, count - offset), key, keys);
        }
        for (int64_t offset = 0; offset < count; offset += block)
            for (int64_t half = 0; half < 2 && offset + half * cell < count; half++) store(offset, half, out + place, lse);
    }

private:
    const Attention& p;
    ForwardScratch& s;
    RowsAhead& ahead;
    const bool streams;
    const Mask mask;
    const int64_t first, count, steps, blocks, place;
    const OuterView k, v;
    bool begun[query_range / block] = {};      // whether there are sums of these queries
    Visibility seen[2][key_tile / cell];       // of the cells of the columns at hand

    // Adds keys of the packed tile to the sums of the `wide` queries from `offset`.
    void columns(int64_t offset, int64_t wide, int64_t key, int64_t keys) {
        const int64_t query = first + offset, halves = wide > cell ? 2 : 1;
        const auto visibility = mask.of(query, wide, key, keys);
        if (visibility == Visibility::None) return;
        const int64_t height = smaller(keys, query + wide + p.diagonal - key), key_blocks = blocks_of(height);
        const char* right = s.queries.data() + offset / block * steps * block_step_bytes;
        for (int64_t b = 0; b < key_blocks; b++)
            register_block(height - b * block, wide, steps, s.keys.data() + b * steps * block_step_bytes, right,
                           s.scores.data() + b * block_floats, false);
        const bool add = begun[offset / block];
        float* sums = s.sums.data() + offset / block * blocks * block_floats;
        for (int64_t half = 0; half < halves; half++) {
            look(visibility, query + half * cell, smaller(cell, wide - half * cell), key, height, seen[half]);
            const __m512 shrink = soften(half, offset + half * cell, key, height);
            if (add && _mm512_cmpneq_ps_mask(shrink, _mm512_set1_ps(1.0f)) != 0) shrink_sums(sums, half, shrink);
        }
        for (int64_t b = 0; b < blocks; b++)
            register_block(p.dim - b * block, wide, key_blocks, s.values.data() + b * weights_bytes, s.weights.data(),
                           sums + b * block_floats, add);
        begun[offset / block] = true;
    }

    // What 16 queries see of each cell.
    void look(Visibility of_all, int64_t query, int64_t queries, int64_t key, int64_t height, Visibility* cells) const {
        for (int64_t row = 0, c = 0; row < height; row += cell, c++) {
            const int64_t keys = smaller(cell, height - row);
            cells[c] = of_all == Visibility::All ? of_all : mask.of(query, queries, key + row, keys);
            if (keys < cell && cells[c] == Visibility::All) cells[c] = Visibility::Some;
        }
    }

    float* scores_of(int64_t half, int64_t c) { return s.scores.data() + c * 2 * cell_floats + half * cell_floats; }

    // Scores of 16 queries become weights: subtracts the running maximum, returns by how much earlier sums shrink.
    __m512 soften(int64_t half, int64_t index, int64_t key, int64_t height) {
        const __m512 low = _mm512_set1_ps(-__builtin_inff()), before = _mm512_load_ps(s.top.data() + index);
        const __m512 highest = largest(half, index, key, height);
        // A maximum that grows little is left: weights up to 2^8 are as exact, and the sums need not shrink.
        const __mmask16 grown = _mm512_cmp_ps_mask(highest, _mm512_add_ps(before, _mm512_set1_ps(8.0f)), _CMP_GT_OQ);
        const __m512 top = _mm512_mask_mov_ps(before, grown, highest);
        const __m512 shift = _mm512_maskz_mov_ps(_mm512_cmpneq_ps_mask(top, low), top);
        __m512 shrink = _mm512_set1_ps(1.0f);
        if (grown != 0) shrink = _mm512_mask_mov_ps(shrink, grown, power_of_two(_mm512_sub_ps(before, top)));
        const __m512 total = _mm512_mul_ps(_mm512_load_ps(s.total.data() + index), shrink);
        _mm512_store_ps(s.total.data() + index, _mm512_add_ps(total, weigh(half, shift, height)));
        _mm512_store_ps(s.top.data() + index, top);
        return shrink;
    }

    // The largest score of each query. Scores that are hidden from it become −∞.
    __m512 largest(int64_t half, int64_t index, int64_t key, int64_t height) {
        const __m512 low = _mm512_set1_ps(-__builtin_inff()), scale = _mm512_set1_ps(p.scale * log2_e);
        __m512 tops[4] = {low, low, low, low};
        for (int64_t row = 0, c = 0; row < height; row += cell, c++) {
            if (seen[half][c] == Visibility::None) continue;
            float* scores = scores_of(half, c);
            if (seen[half][c] == Visibility::Some)
                for (int64_t i = 0; i < cell; i++) {
                    const __mmask16 lanes = row + i < height ? queries_of(mask, first + index, first + count, key + row + i) : 0;
                    _mm512_mask_store_ps(scores + i * cell, static_cast<__mmask16>(~lanes), low);
                }
            for (int64_t i = 0; i < cell; i += 4)
                for (int j = 0; j < 4; j++) tops[j] = _mm512_max_ps(tops[j], _mm512_mul_ps(_mm512_load_ps(scores + (i + j) * cell), scale));
        }
        return _mm512_max_ps(_mm512_max_ps(tops[0], tops[1]), _mm512_max_ps(tops[2], tops[3]));
    }

    // Writes the weights of 16 queries, pairs of keys as an operand, and returns their sums.
    __m512 weigh(int64_t half, __m512 shift, int64_t height) {
        const __m512 scale = _mm512_set1_ps(p.scale * log2_e);
        const __m512i pairs = pair_places();
        __m512 even = _mm512_setzero_ps(), odd = even;
        const int64_t cells = blocks_of(height) * 2;
        for (int64_t c = 0; c < cells; c++) {
            const float* scores = scores_of(half, c);
            char* weights = s.weights.data() + c / 2 * block_step_bytes + half * tile_bytes + c % 2 * (tile_bytes / 2);
            if (c * cell >= height || seen[half][c] == Visibility::None) {
                for (int64_t i = 0; i < cell / 2; i++) _mm512_store_si512(weights + i * 64, _mm512_setzero_si512());
                continue;
            }
            ahead.fetch();  // as often as half the rows of a causal head, at least
            ahead.fetch();
            for (int64_t i = 0; i < cell / 2; i++) {
                const __m512 one = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + i * 2 * cell), scale, shift));
                const __m512 other = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(scores + (i * 2 + 1) * cell), scale, shift));
                even = _mm512_add_ps(even, one);
                odd = _mm512_add_ps(odd, other);
                _mm512_store_si512(weights + i * 64, _mm512_permutexvar_epi16(pairs, halves(one, other)));
            }
        }
        return _mm512_add_ps(even, odd);
    }

    void shrink_sums(float* sums, int64_t half, __m512 factors) {
        for (int64_t b = 0; b < blocks; b++)
            for (int64_t row = 0; row < block; row++) {
                float* vector = sums + b * block_floats + sums_at(row, half);
                _mm512_store_ps(vector, _mm512_mul_ps(_mm512_load_ps(vector), factors));
            }
    }

    // Divides the sums of 16 queries by their totals and turns them into rows.
    void store(int64_t offset, int64_t half, Bf16* out, float* lse) {
        const int64_t index = offset + half * cell;
        const __mmask16 inside = lanes_before(count - index);
        const __m512 total = _mm512_load_ps(s.total.data() + index), top = _mm512_load_ps(s.top.data() + index);
        const __mmask16 some = _mm512_cmpneq_ps_mask(total, _mm512_setzero_ps());
        const __m512 inverse = _mm512_maskz_div_ps(some, _mm512_set1_ps(1.0f), total);
        const __m512 log_sums = _mm512_fmadd_ps(top, _mm512_set1_ps(ln_2), logarithm(total));
        _mm512_mask_storeu_ps(lse + index, inside, _mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), some, log_sums));
        const float* sums = s.sums.data() + offset / block * blocks * block_floats;
        const __mmask16 written = begun[offset / block] ? some : 0;
        for (int64_t b = 0; b < blocks; b++) {
            __m512i words[16];
            transpose_sums(words, sums + b * block_floats, half, written, inverse);
            for (int64_t i = 0; i < cell && index + i < count; i++)
                store_line(out + (index + i) * p.q_stride() + b * block, p.dim - b * block, words[i], streams);
        }
    }
};

}  // namespace

void attention_forward(const Attention& p, void* out, float* lse) {
    const int64_t items = p.batch * p.heads * ForwardItem::ranges(p);
    const int team = static_cast<int>(smaller(omp_get_max_threads(), larger(1, items)));
    const bool streams = goes_past_cache(out, p.batch * p.queries * p.heads, p.dim * 2);
    ForwardScratch* const scratch = scratch_of<ForwardScratch>(team);
    for (int i = 0; i < team; i++) scratch[i].reserve(p.dim);
#pragma omp parallel num_threads(team)
    {
        const Tiles tiles;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < items; i++) {
            const ForwardItem item(p, i);
            RowsAhead ahead = i + team < items ? ForwardItem(p, i + team).rows<Bf16>(p) : RowsAhead();
            ForwardRange(p, item, scratch[omp_get_thread_num()], ahead, streams)
                .run(static_cast<Bf16*>(out), lse + p.row_offset(item.sequence, item.head) + item.first);
        }
        if (streams) _mm_sfence();
    }
}

}  // namespace uniscale::amx
