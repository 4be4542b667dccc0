// Attention's forward on tiles: like attention.cpp, which says where the method comes from.
#include <omp.h>

#include "tile_attention.h"
#include "tile_scratch.h"

namespace uniscale::amx {
namespace {

constexpr int64_t key_tile = 256, query_range = 512;
constexpr int64_t weights_bytes = key_tile / tile_depth * block_step_bytes;

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
    ForwardRange(const Attention& problem, int64_t sequence, int64_t head, int64_t first, int64_t count, ForwardScratch& scratch)
        : p(problem),
          s(scratch),
          mask{p.q_documents_of(sequence), p.k_documents_of(sequence), p.diagonal},
          first(first),
          count(count),
          steps(steps_of(p.dim)),
          blocks(blocks_of(p.dim)),
          place(p.q_offset(sequence, head) + first * p.q_stride()),
          k{static_cast<const Bf16*>(p.k) + p.k_offset(sequence, head / p.group()), p.k_stride(), true},
          v{static_cast<const Bf16*>(p.v) + p.k_offset(sequence, head / p.group()), p.k_stride(), false} {}

    void run(Bf16* out, float* lse) {
        pack<false>({static_cast<const Bf16*>(p.q) + place, p.q_stride(), true}, 0, count, 0, p.dim, s.queries.data(),
                    steps * block_step_bytes);
        s.sums.fill(0.0f);
        s.top.fill(-__builtin_inff());
        s.total.fill(0.0f);
        const int64_t end = key_end(p, first + count - 1);
        for (int64_t key = 0; key < end; key += key_tile) {
            const int64_t keys = smaller(key_tile, end - key);
            if (mask.of(first, count, key, keys) == Visibility::None) continue;
            pack<true>(k, key, keys, 0, p.dim, s.keys.data(), steps * block_step_bytes);
            pack<true>(v, 0, p.dim, key, keys, s.values.data(), weights_bytes);
            for (int64_t offset = 0; offset < count; offset += block) rows(offset, smaller(block, count - offset), key, keys);
        }
        for (int64_t row = 0; row < count; row++) store_row(row, out + place + row * p.q_stride(), lse + row);
    }

private:
    const Attention& p;
    ForwardScratch& s;
    const Mask mask;
    const int64_t first, count, steps, blocks, place;
    const OuterView k, v;
    bool whole[key_tile / block];  // blocks of keys that every query of the rows at hand sees

    void rows(int64_t offset, int64_t height, int64_t key, int64_t keys) {
        const int64_t query = first + offset;
        const auto visibility = mask.of(query, height, key, keys);
        if (visibility == Visibility::None) return;
        const int64_t seen = smaller(keys, query + height + p.diagonal - key), key_blocks = blocks_of(seen);
        for (int64_t b = 0; b < key_blocks; b++)
            whole[b] = seen - b * block >= block &&
                       (visibility == Visibility::All || mask.of(query, height, key + b * block, block) == Visibility::All);
        const char* left = s.queries.data() + offset / block * steps * block_step_bytes;
        for (int64_t b = 0; b < key_blocks; b++)
            register_block(height, block, steps, left, s.keys.data() + b * steps * block_step_bytes, s.scores.data() + b * block_floats, false);
        float* sums = s.sums.data() + offset / block * blocks * block_floats;
        for (int64_t row = 0; row < height; row++) {
            const float shrink = soften(row, offset + row, key, seen);
            if (shrink != 1.0f) shrink_row(sums, row, shrink);
        }
        for (int64_t b = 0; b < blocks; b++)
            register_block(height, p.dim - b * block, key_blocks, s.weights.data(), s.values.data() + b * weights_bytes,
                           sums + b * block_floats, true);
    }

    __mmask16 visible(int64_t query, int64_t key, int64_t left) const {
        const __mmask16 inside = lanes_before(smaller(left, query + p.diagonal - key + 1));
        if (mask.q_documents == nullptr || inside == 0) return inside;
        return of_document(mask.k_documents + key, mask.q_documents[query], inside);
    }

    static void hide(float* scores, __m512 low, __mmask16 seen) { _mm512_mask_store_ps(scores, static_cast<__mmask16>(~seen), low); }

    // Scores of one row become weights: subtracts the running maximum, returns by how much earlier sums shrink.
    float soften(int64_t row, int64_t index, int64_t key, int64_t seen) {
        const int64_t key_blocks = blocks_of(seen);
        const __m512 scale = _mm512_set1_ps(p.scale * log2_e);
        const __m512 low = _mm512_set1_ps(-__builtin_inff());
        float* scores = s.scores.data() + sums_at(row, 0);
        __m512 highest = _mm512_set1_ps(s.top[index]), second = highest;
        for (int64_t b = 0; b < key_blocks; b++) {
            float *left = scores + b * block_floats, *right = left + 256;
            if (!whole[b]) {
                hide(left, low, visible(first + index, key + b * block, seen - b * block));
                hide(right, low, visible(first + index, key + b * block + 16, seen - b * block - 16));
            }
            highest = _mm512_max_ps(highest, _mm512_mul_ps(_mm512_load_ps(left), scale));
            second = _mm512_max_ps(second, _mm512_mul_ps(_mm512_load_ps(right), scale));
        }
        highest = _mm512_max_ps(highest, second);
        const float top = _mm512_reduce_max_ps(highest), before = s.top[index];
        char* weights = s.weights.data() + row / 16 * tile_bytes + row % 16 * 64;
        if (top == -__builtin_inff()) {
            for (int64_t b = 0; b < key_blocks; b++) _mm512_store_si512(weights + b * block_step_bytes, _mm512_setzero_si512());
            return 1.0f;
        }
        const __m512 shift = _mm512_set1_ps(top);
        __m512 even = _mm512_setzero_ps(), odd = even;
        for (int64_t b = 0; b < key_blocks; b++) {
            const float* at = scores + b * block_floats;
            const __m512 left = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(at), scale, shift));
            const __m512 right = power_of_two(_mm512_fmsub_ps(_mm512_load_ps(at + 256), scale, shift));
            even = _mm512_add_ps(even, left);
            odd = _mm512_add_ps(odd, right);
            _mm512_store_si512(weights + b * block_step_bytes, halves(left, right));
        }
        const float shrink = before == -__builtin_inff() ? 0.0f : __builtin_exp2f(before - top);
        s.total[index] = s.total[index] * shrink + _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
        s.top[index] = top;
        return shrink;
    }

    void shrink_row(float* sums, int64_t row, float factor) {
        const __m512 factors = _mm512_set1_ps(factor);
        for (int64_t i = 0; i < blocks * 2; i++) {
            float* vector = sums + i / 2 * block_floats + sums_at(row, i % 2);
            _mm512_store_ps(vector, _mm512_mul_ps(_mm512_load_ps(vector), factors));
        }
    }

    void store_row(int64_t row, Bf16* out, float* lse) {
        const float total = s.total[row], inverse = total > 0 ? 1.0f / total : (total == 0 ? 0.0f : total);
        const __m512 factor = _mm512_set1_ps(inverse);
        const float* sums = s.sums.data() + row / block * blocks * block_floats;
        for (int64_t b = 0; b < blocks; b++) {
            const __m512 left = _mm512_mul_ps(_mm512_load_ps(sums + b * block_floats + sums_at(row % block, 0)), factor);
            const __m512 right = _mm512_mul_ps(_mm512_load_ps(sums + b * block_floats + sums_at(row % block, 1)), factor);
            _mm512_mask_storeu_epi16(out + b * block, first_lanes(p.dim - b * block), halves(left, right));
        }
        *lse = total == 0 ? -__builtin_inff() : s.top[row] * ln_2 + __builtin_logf(total);
    }
};

}  // namespace

void attention_forward(const Attention& p, void* out, float* lse) {
    const int64_t ranges = (p.queries + query_range - 1) / query_range;
    const int team = static_cast<int>(smaller(omp_get_max_threads(), larger(1, p.batch * p.heads * ranges)));
    ForwardScratch* const scratch = scratch_of<ForwardScratch>(team);
    for (int i = 0; i < team; i++) scratch[i].reserve(p.dim);
#pragma omp parallel num_threads(team)
    {
        const Tiles tiles;
#pragma omp for collapse(3) schedule(dynamic)
        for (int64_t sequence = 0; sequence < p.batch; sequence++)
            for (int64_t head = 0; head < p.heads; head++)
                for (int64_t range = ranges - 1; range >= 0; range--) {
                    const int64_t first = range * query_range;
                    ForwardRange(p, sequence, head, first, smaller(query_range, p.queries - first), scratch[omp_get_thread_num()])
                        .run(static_cast<Bf16*>(out), lse + p.row_offset(sequence, head) + first);
                }
    }
}

}  // namespace uniscale::amx
