// A square of words in registers, transposed: by words and pairs of words inside parts of 128 bits, then by those parts.
#pragma once

#include <immintrin.h>

namespace uniscale::UNISCALE_SIMD {

#ifdef __AVX512F__
typedef __m512i WordRegister;

inline void transpose_words(WordRegister* w) {
    constexpr __mmask16 words = 0xffff;  // forms without a mask give warnings (GCC bug 105593)
    constexpr __mmask8 pairs = 0xff;
    __m512i t[16];
    for (int i = 0; i < 16; i += 4) {
        const __m512i a = _mm512_maskz_unpacklo_epi32(words, w[i], w[i + 1]), b = _mm512_maskz_unpackhi_epi32(words, w[i], w[i + 1]);
        const __m512i c = _mm512_maskz_unpacklo_epi32(words, w[i + 2], w[i + 3]), d = _mm512_maskz_unpackhi_epi32(words, w[i + 2], w[i + 3]);
        t[i] = _mm512_maskz_unpacklo_epi64(pairs, a, c);
        t[i + 1] = _mm512_maskz_unpackhi_epi64(pairs, a, c);
        t[i + 2] = _mm512_maskz_unpacklo_epi64(pairs, b, d);
        t[i + 3] = _mm512_maskz_unpackhi_epi64(pairs, b, d);
    }
    for (int i = 0; i < 4; i++) {
        const __m512i a = _mm512_maskz_shuffle_i32x4(words, t[i], t[i + 4], 0x88), b = _mm512_maskz_shuffle_i32x4(words, t[i], t[i + 4], 0xdd);
        const __m512i c = _mm512_maskz_shuffle_i32x4(words, t[i + 8], t[i + 12], 0x88), d = _mm512_maskz_shuffle_i32x4(words, t[i + 8], t[i + 12], 0xdd);
        w[i] = _mm512_maskz_shuffle_i32x4(words, a, c, 0x88);
        w[i + 8] = _mm512_maskz_shuffle_i32x4(words, a, c, 0xdd);
        w[i + 4] = _mm512_maskz_shuffle_i32x4(words, b, d, 0x88);
        w[i + 12] = _mm512_maskz_shuffle_i32x4(words, b, d, 0xdd);
    }
}
#else
typedef __m256i WordRegister;

inline void transpose_words(WordRegister* w) {
    __m256i t[8];
    for (int i = 0; i < 8; i += 4) {
        const __m256i a = _mm256_unpacklo_epi32(w[i], w[i + 1]), b = _mm256_unpackhi_epi32(w[i], w[i + 1]);
        const __m256i c = _mm256_unpacklo_epi32(w[i + 2], w[i + 3]), d = _mm256_unpackhi_epi32(w[i + 2], w[i + 3]);
        t[i] = _mm256_unpacklo_epi64(a, c);
        t[i + 1] = _mm256_unpackhi_epi64(a, c);
        t[i + 2] = _mm256_unpacklo_epi64(b, d);
        t[i + 3] = _mm256_unpackhi_epi64(b, d);
    }
    for (int i = 0; i < 4; i++) {
        w[i] = _mm256_permute2x128_si256(t[i], t[i + 4], 0x20);
        w[i + 4] = _mm256_permute2x128_si256(t[i], t[i + 4], 0x31);
    }
}
#endif

}  // namespace uniscale::UNISCALE_SIMD
