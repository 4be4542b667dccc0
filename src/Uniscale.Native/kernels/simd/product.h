// Small GEMMs for attention: C[m, n] (+)= A[m, k] · B[k, n] with A row-major, B packed into panels of columns,
// C fp32. Two kinds of operand: fp32, and pairs of bf16 along k (where the processor multiplies those).
#pragma once

#include "lanes.h"

namespace uniscale::UNISCALE_SIMD {

#ifdef __AVX512F__
constexpr int64_t widest = 4;
#else
constexpr int64_t widest = 2;
#endif
constexpr int64_t tallest = 6;             // rows of a register block
constexpr int64_t panel = lanes * widest;  // columns of a full panel

typedef float Vector __attribute__((vector_size(lanes * 4)));
typedef float Unaligned __attribute__((vector_size(lanes * 4), aligned(4), may_alias));

inline int64_t round_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// How operands are held: element type, and how many neighbours along k one multiplication takes.
struct Fp32Operand {
    using Element = float;
    static constexpr int pair = 1;
    static float broadcast(const float* a) { return *a; }
    static Vector multiply_add(Vector sum, float a, const float* b) { return sum + a * *reinterpret_cast<const Unaligned*>(b); }
};

#ifdef __AVX512BF16__
struct Bf16Operand {
    using Element = Bf16;
    static constexpr int pair = 2;
    static __m512bh broadcast(const Bf16* a) {
        int32_t both;
        std::memcpy(&both, a, sizeof both);
        return (__m512bh)_mm512_set1_epi32(both);
    }
    static Vector multiply_add(Vector sum, __m512bh a, const Bf16* b) {
        return (Vector)_mm512_dpbf16_ps((__m512)sum, a, (__m512bh)_mm512_loadu_si512(b));
    }
};
#endif

// Elements of a packed k × n matrix.
template <class Operand>
int64_t packed_size(int64_t k, int64_t n) {
    return round_up(k, Operand::pair) * round_up(n, lanes);
}

inline uint32_t word(const void* address) {
    uint32_t bits;
    std::memcpy(&bits, address, sizeof bits);
    return bits;
}

// target[i] = the four bytes at source + i * stride_bytes: one step along k of `columns` columns.
inline void gather_words(const char* source, int64_t stride_bytes, int64_t columns, uint32_t* target) {
    int64_t i = 0;
#ifdef __AVX512F__
    if (stride_bytes * lanes < INT32_MAX) {
        const __m512i places = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                                  _mm512_set1_epi32(static_cast<int>(stride_bytes)));
        for (; i + lanes <= columns; i += lanes)
            _mm512_storeu_si512(target + i, _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), 0xffff, places, source + i * stride_bytes, 1));
    }
#endif
    for (; i < columns; i++) target[i] = word(source + i * stride_bytes);
}

// One step along k of `columns` neighbouring columns: for pairs, rows `first` and `second` interleaved.
inline void interleave(const float* first, const float*, int64_t columns, uint32_t* target) {
    std::memcpy(target, first, static_cast<size_t>(columns) * sizeof(float));
}

inline void interleave(const Bf16* first, const Bf16* second, int64_t columns, uint32_t* target) {
#pragma omp simd
    for (int64_t i = 0; i < columns; i++) target[i] = first[i].bits | static_cast<uint32_t>(second != nullptr ? second[i].bits : 0) << 16;
}

// Packs B[k, n] = source[k · stride_k + n · stride_n], zeros beyond. One of the strides is 1.
template <class Operand, class T>
void pack(const T* source, int64_t stride_k, int64_t stride_n, int64_t k, int64_t n, typename Operand::Element* target) {
    constexpr int pair = Operand::pair;
    const int64_t depth = round_up(k, pair);
    for (int64_t first = 0; first < n; first += panel) {
        const int64_t width = n - first < panel ? round_up(n - first, lanes) : panel, inside = smaller(width, n - first);
        auto* out = target + first * depth;
        for (int64_t row = 0; row < depth; row += pair, out += width * pair) {
            const T* from = source + row * stride_k + first * stride_n;
            if constexpr (__is_same(T, typename Operand::Element)) {
                auto* words = reinterpret_cast<uint32_t*>(out);
                if (stride_n == 1) {
                    interleave(from, row + 1 < k ? from + stride_k : nullptr, inside, words);
                } else if (row + pair <= k) {
                    gather_words(reinterpret_cast<const char*>(from), stride_n * static_cast<int64_t>(sizeof(T)), inside, words);
                } else {
                    for (int64_t i = 0; i < inside; i++) words[i] = 0, std::memcpy(words + i, from + i * stride_n, sizeof(T));
                }
                for (int64_t i = inside; i < width; i++) words[i] = 0;
            } else {
                static_assert(pair == 1);
                if (stride_n == 1) for_row(inside, [&](int64_t i, int64_t, auto part) { part.store(out + i, part.load(from + i)); });
                else
                    for (int64_t i = 0; i < inside; i++) store(out[i], load(from[i * stride_n]));
                for (int64_t i = inside; i < width; i++) store(out[i], 0.0f);
            }
        }
    }
}

template <class Operand, int rows, int vectors>
inline void register_block(int64_t steps, const typename Operand::Element* a, int64_t lda, const typename Operand::Element* b, float* c,
                           int64_t ldc, bool add) {
    Vector sums[rows][vectors];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            sums[r][v] = add ? (Vector) * reinterpret_cast<const Unaligned*>(c + r * ldc + v * lanes) : Vector{};
    for (int64_t step = 0; step < steps; step++) {
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            const auto left = Operand::broadcast(a + r * lda + step * Operand::pair);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                sums[r][v] = Operand::multiply_add(sums[r][v], left, b + (step * vectors + v) * lanes * Operand::pair);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++) *reinterpret_cast<Unaligned*>(c + r * ldc + v * lanes) = sums[r][v];
}

template <class Operand, int vectors>
inline void register_rows(int64_t rows, int64_t steps, const typename Operand::Element* a, int64_t lda,
                          const typename Operand::Element* b, float* c, int64_t ldc, bool add) {
    for (; rows >= tallest; rows -= tallest, a += tallest * lda, c += tallest * ldc)
        register_block<Operand, tallest, vectors>(steps, a, lda, b, c, ldc, add);
    switch (rows) {
        case 5: return register_block<Operand, 5, vectors>(steps, a, lda, b, c, ldc, add);
        case 4: return register_block<Operand, 4, vectors>(steps, a, lda, b, c, ldc, add);
        case 3: return register_block<Operand, 3, vectors>(steps, a, lda, b, c, ldc, add);
        case 2: return register_block<Operand, 2, vectors>(steps, a, lda, b, c, ldc, add);
        case 1: return register_block<Operand, 1, vectors>(steps, a, lda, b, c, ldc, add);
        default: return;
    }
}

// ldc must leave room for n rounded up to `lanes`. k is rounded up to a pair: A must hold zeros there. The packed matrix may be deeper
// than k and wider than n (by whole panels); packed_k is the depth it was packed with.
template <class Operand>
void product(int64_t m, int64_t n, int64_t k, const typename Operand::Element* a, int64_t lda, const typename Operand::Element* packed,
             int64_t packed_k, float* c, int64_t ldc, bool add) {
    const int64_t depth = round_up(packed_k, Operand::pair), steps = round_up(k, Operand::pair) / Operand::pair;
    for (int64_t first = 0; first < n; first += panel) {
        const auto* b = packed + first * depth;
        const int64_t vectors = (n - first < panel ? round_up(n - first, lanes) : panel) / lanes;
        float* out = c + first;
        switch (vectors) {
#ifdef __AVX512F__
            case 4: register_rows<Operand, 4>(m, steps, a, lda, b, out, ldc, add); break;
            case 3: register_rows<Operand, 3>(m, steps, a, lda, b, out, ldc, add); break;
#endif
            case 2: register_rows<Operand, 2>(m, steps, a, lda, b, out, ldc, add); break;
            default: register_rows<Operand, 1>(m, steps, a, lda, b, out, ldc, add); break;
        }
    }
}

}  // namespace uniscale::UNISCALE_SIMD
