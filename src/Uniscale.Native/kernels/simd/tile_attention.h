// What attention on tiles shares between forward and backward: the mask of 16 neighbours at once, and powers of two.
#pragma once

#include "attention.h"
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

// Where row `row` and half `half` (16 columns) of a register block's sums begin.
inline int64_t sums_at(int64_t row, int64_t half) { return row / 16 * 512 + half * 256 + row % 16 * 16; }

// 32 neighbours as bf16, the operand's order along k.
inline __m512i halves(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

}  // namespace uniscale::amx
