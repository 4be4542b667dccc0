// Operands of a GEMM on tiles, brought into the order in which tiles are loaded: blocks of 32 rows of A or 32 columns of B, and in a
// block one step of 32 along k after another, two tiles each. What lies outside the matrix is zero.
#pragma once

#include <immintrin.h>

#include "tiles.h"
#include "transpose.h"
#include "vector.h"

namespace uniscale::amx {

// A matrix seen from its outer index (rows of A, columns of B): which of outer and k is contiguous in memory.
struct OuterView {
    const Bf16* data;
    int64_t stride;
    bool k_contiguous;

    const Bf16* at(int64_t outer, int64_t k) const { return k_contiguous ? data + outer * stride + k : data + k * stride + outer; }
};

// What is at least this large and only written is stored non-temporally: it would not stay there until it is read, and a line that is written
// into them is read from memory first. Such writes are of whole lines.
constexpr int64_t streamed_bytes = 1 << 20;
inline bool on_a_line(const void* memory) { return reinterpret_cast<uintptr_t>(memory) % 64 == 0; }

// Where row `row` and half `half` (16 columns) of a register block's sums begin.
inline int64_t sums_at(int64_t row, int64_t half) { return row / 16 * 512 + half * 256 + row % 16 * 16; }

// 32 neighbours as bf16, the operand's order along k.
inline __m512i halves(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

inline int64_t blocks_of(int64_t count) { return (count + block - 1) / block; }
inline int64_t steps_of(int64_t k) { return (k + tile_depth - 1) / tile_depth; }
inline __mmask32 first_lanes(int64_t count) { return count >= 32 ? ~0u : (1u << count) - 1u; }

// words[row] = 32 elements of each of 16 rows.
inline void load_rows(__m512i* words, const Bf16* source, int64_t stride, int64_t rows, int64_t columns) {
    if (rows >= tile_rows && columns >= tile_depth) {
        for (int row = 0; row < tile_rows; row++) words[row] = _mm512_loadu_si512(source + row * stride);
        return;
    }
    const __mmask32 inside = first_lanes(columns);
    for (int row = 0; row < tile_rows; row++)
        words[row] = row < rows ? _mm512_maskz_loadu_epi16(inside, source + row * stride) : _mm512_setzero_si512();
}

inline __m512i interleave(__m256i even, __m256i odd) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

// words[pair] = elements of rows 2·pair and 2·pair + 1, interleaved, of 16 columns.
inline void load_pairs(__m512i* words, const Bf16* source, int64_t stride, int64_t rows, int64_t columns) {
    if (rows >= tile_depth && columns >= tile_rows) {
        for (int pair = 0; pair < tile_rows; pair++) {
            const Bf16* even = source + 2 * pair * stride;
            words[pair] = interleave(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(even)),
                                     _mm256_loadu_si256(reinterpret_cast<const __m256i*>(even + stride)));
        }
        return;
    }
    const __mmask16 inside = static_cast<__mmask16>(first_lanes(columns < tile_rows ? columns : tile_rows));
    const auto row_or_zero = [&](int64_t row) {
        return row < rows ? _mm256_maskz_loadu_epi16(inside, source + row * stride) : _mm256_setzero_si256();
    };
    for (int pair = 0; pair < tile_rows; pair++) words[pair] = interleave(row_or_zero(2 * pair), row_or_zero(2 * pair + 1));
}

// Adds to each of 16 sums, of which `inside` exist, the two elements of its word in every row.
inline void add_words(float* sums, __mmask16 inside, const __m512i* words) {
    const auto ones = (__m512bh)_mm512_set1_epi32(0x3f803f80);
    __m512 even = _mm512_maskz_loadu_ps(inside, sums), odd = _mm512_setzero_ps();
    for (int pair = 0; pair < tile_rows; pair += 2) {
        even = _mm512_dpbf16_ps(even, (__m512bh)words[pair], ones);
        odd = _mm512_dpbf16_ps(odd, (__m512bh)words[pair + 1], ones);
    }
    _mm512_mask_storeu_ps(sums, inside, _mm512_add_ps(even, odd));
}

// One tile from (outer, k); outers and depth: how much of the matrix is left there. sums, where not null: what lies along k is added
// to the sum of its outer index; k must not be contiguous. Streams: with non-temporal stores.
template <bool is_b, bool streams>
inline void pack_tile(const OuterView& x, int64_t outer, int64_t outers, int64_t k, int64_t depth, char* target, float* sums) {
    __m512i words[16];
    if (x.k_contiguous) load_rows(words, x.at(outer, k), x.stride, outers, depth);
    else load_pairs(words, x.at(outer, k), x.stride, depth, outers);
    if (sums != nullptr) add_words(sums, static_cast<__mmask16>(first_lanes(outers)), words);
    if (x.k_contiguous == is_b) transpose_words(words);
    for (int row = 0; row < tile_rows; row++) {
        if constexpr (streams) _mm512_stream_si512(reinterpret_cast<__m512i*>(target + row * 64), words[row]);
        else _mm512_store_si512(target + row * 64, words[row]);
    }
}

// Blocks of `outers` from `outer`, steps of `depth` from k; blocks lie block_bytes apart. sums[outers]: see pack_tile.
template <bool is_b, bool streams = false>
inline void pack(const OuterView& x, int64_t outer, int64_t outers, int64_t k, int64_t depth, char* target, int64_t block_bytes,
                 float* sums = nullptr) {
    const auto pack_step = [&](int64_t b, int64_t s) {
        const int64_t left = outers - b * block, deep = depth - s * tile_depth;
        char* tiles = target + b * block_bytes + s * block_step_bytes;
        for (int64_t half = 0; half < block && half < left; half += tile_rows)
            pack_tile<is_b, streams>(x, outer + b * block + half, left - half, k + s * tile_depth, deep, tiles + half / tile_rows * tile_bytes,
                                     sums == nullptr ? nullptr : sums + b * block + half);
    };
    // Along the rows of memory.
    if (x.k_contiguous) {
        for (int64_t b = 0; b < blocks_of(outers); b++)
            for (int64_t s = 0; s < steps_of(depth); s++) pack_step(b, s);
    } else {
        for (int64_t s = 0; s < steps_of(depth); s++)
            for (int64_t b = 0; b < blocks_of(outers); b++) pack_step(b, s);
    }
}

}  // namespace uniscale::amx
