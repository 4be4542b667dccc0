// What attention on tiles shares between forward and backward: the mask of 16 neighbours at once, and powers of two.
#pragma once

#include "attention_items.h"
#include "mask.h"
#include "tile_pack.h"

namespace uniscale::amx {

constexpr float log2_e = 1.44269504088896341f, ln_2 = 0.693147180559945309f;

// 2^x to a relative 2e-7 (minimax polynomial of degree 5 on the fraction); −inf gives 0, NaN stays NaN.
inline __m512 power_of_two(__m512 x) {
    constexpr int round_down = 1;
    const __m512 fraction = _mm512_reduce_ps(x, round_down);
    __m512 p = _mm512_set1_ps(1.8775767e-3f);
    p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(8.9893397e-3f));
    p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(5.5826318e-2f));
    p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(2.4015361e-1f));
    p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(6.9315308e-1f));
    p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(9.9999994e-1f));
    return _mm512_scalef_ps(p, x);
}

// The lanes at and after `first`, of 16; and those before `end`.
inline __mmask16 lanes_from(int64_t first) { return first <= 0 ? 0xffff : (first >= 16 ? 0 : static_cast<__mmask16>(0xffff << first)); }
inline __mmask16 lanes_before(int64_t end) { return end >= 16 ? 0xffff : (end <= 0 ? 0 : static_cast<__mmask16>((1 << end) - 1)); }

// Which of 16 documents are this one; only `inside` is read.
inline __mmask16 of_document(const int64_t* documents, int64_t document, __mmask16 inside) {
    const __m512i wanted = _mm512_set1_epi64(document);
    const auto low = static_cast<__mmask8>(inside), high = static_cast<__mmask8>(inside >> 8);
    const unsigned first = _mm512_mask_cmpeq_epi64_mask(low, _mm512_maskz_loadu_epi64(low, documents), wanted);
    const unsigned second = _mm512_mask_cmpeq_epi64_mask(high, _mm512_maskz_loadu_epi64(high, documents + 8), wanted);
    return static_cast<__mmask16>(first | second << 8);
}

// Which of the 16 queries from `from`, before `end`, see this key.
inline __mmask16 queries_of(const Mask& mask, int64_t from, int64_t end, int64_t key) {
    const auto lanes = static_cast<__mmask16>(lanes_from(key - mask.diagonal - from) & lanes_before(end - from));
    if (mask.q_documents == nullptr || lanes == 0) return lanes;
    return of_document(mask.q_documents + from, mask.k_documents[key], lanes);
}

// Where 16 words (of one row's element and the next's) find their halves in two rows that lie one after the other.
inline __m512i pair_places() {
    const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return _mm512_or_si512(first, _mm512_slli_epi32(_mm512_add_epi32(first, _mm512_set1_epi32(16)), 16));
}

// Natural logarithm of positive numbers to about 1e-7: the exponent, and the series of the inverse hyperbolic tangent for a
// mantissa between 3/4 and 3/2. NaN stays NaN.
inline __m512 logarithm(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 whole = _mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
    const __mmask16 high = _mm512_cmp_ps_mask(whole, _mm512_set1_ps(1.5f), _CMP_GE_OQ);
    const __m512 mantissa = _mm512_mask_mul_ps(whole, high, whole, _mm512_set1_ps(0.5f));
    const __m512 power = _mm512_getexp_ps(x), exponent = _mm512_mask_add_ps(power, high, power, one);
    const __m512 t = _mm512_div_ps(_mm512_sub_ps(mantissa, one), _mm512_add_ps(mantissa, one)), square = _mm512_mul_ps(t, t);
    __m512 series = _mm512_set1_ps(2.0f / 9);
    series = _mm512_fmadd_ps(series, square, _mm512_set1_ps(2.0f / 7));
    series = _mm512_fmadd_ps(series, square, _mm512_set1_ps(2.0f / 5));
    series = _mm512_fmadd_ps(series, square, _mm512_set1_ps(2.0f / 3));
    series = _mm512_fmadd_ps(series, square, _mm512_set1_ps(2.0f));
    return _mm512_fmadd_ps(exponent, _mm512_set1_ps(ln_2), _mm512_mul_ps(series, t));
}

// words[query] = 32 dims of 16 queries as bf16, of the block's sums that lie dims down and queries across, times a factor for each
// query; zeros for queries outside of `some`.
inline void transpose_sums(__m512i* words, const float* sums, int64_t half, __mmask16 some, __m512 factors) {
    const __m512i pairs = pair_places();
    for (int64_t pair = 0; pair < 16; pair++) {
        const __m512 one = _mm512_maskz_mul_ps(some, _mm512_load_ps(sums + sums_at(pair * 2, half)), factors);
        const __m512 other = _mm512_maskz_mul_ps(some, _mm512_load_ps(sums + sums_at(pair * 2 + 1, half)), factors);
        words[pair] = _mm512_permutexvar_epi16(pairs, halves(one, other));
    }
    transpose_words(words);
}

// 32 elements of a row, or as many as are left of it.
inline void store_line(Bf16* out, int64_t left, __m512i line, bool streams) {
    if (streams) _mm512_stream_si512(reinterpret_cast<__m512i*>(out), line);
    else _mm512_mask_storeu_epi16(out, first_lanes(left), line);
}

inline bool goes_past_cache(const void* out, int64_t rows, int64_t row_bytes) {
    return rows * row_bytes >= streamed_bytes && row_bytes % 64 == 0 && on_a_line(out);
}

}  // namespace uniscale::amx
