// Small GEMMs for attention: C[m, n] (+)= A[m, k] · B[k, n] with A row-major, B packed into panels of columns,
// C fp32. Two kinds of operand: fp32, and pairs of bf16 along k (where the processor multiplies those).
#pragma once

#include "lanes.h"
#include "transpose.h"

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

// How operands are held: element type of the left and of the right one, and how many neighbours along k one multiplication takes.
struct Fp32Operand {
    using Element = float;
    using RightElement = float;
    static constexpr int pair = 1;
    static float broadcast(const float* a) { return *a; }
    static Vector multiply_add(Vector sum, float a, const float* b) { return sum + a * *reinterpret_cast<const Unaligned*>(b); }
};

#ifdef __AVX512BF16__
struct Bf16Operand {
    using Element = Bf16;
    using RightElement = Bf16;
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

// Pairs of bf16 that are multiplied in fp32, one after the other: the bits of Fp32Operand, and half its memory.
struct WidenedOperand {
    using Element = Bf16;
    using RightElement = Bf16;
    static constexpr int pair = 2;
    struct Both {
        float first, second;
    };
    static Both broadcast(const Bf16* a) { return {load(a[0]), load(a[1])}; }
    static Vector multiply_add(Vector sum, Both a, const Bf16* b) {
        Words words;
        std::memcpy(&words, b, sizeof words);
        sum = sum + a.first * reinterpret_cast<Vector>(words << 16);
        return sum + a.second * reinterpret_cast<Vector>(words & 0xffff0000u);
    }
};

// fp32 times rows of bf16 where they lie.
struct WidenedRowsOperand {
    using Element = float;
    using RightElement = Bf16;
    static constexpr int pair = 1;
    static float broadcast(const float* a) { return *a; }
    static Vector multiply_add(Vector sum, float a, const Bf16* b) { return sum + a * reinterpret_cast<Vector>(load_lanes(b)); }
};

// Elements of a packed k × n matrix.
template <class Operand>
int64_t packed_size(int64_t k, int64_t n) {
    return round_up(k, Operand::pair) * round_up(n, lanes);
}

// One step along k of `columns` neighbouring columns: for pairs, rows `first` and `second` interleaved.
__attribute__((always_inline)) inline void interleave(const float* first, const float*, int64_t columns, uint32_t* target) {
    std::memcpy(target, first, static_cast<size_t>(columns) * sizeof(float));
}

__attribute__((always_inline)) inline void interleave(const Bf16* first, const Bf16* second, int64_t columns, uint32_t* target) {
#pragma omp simd
    for (int64_t i = 0; i < columns; i++) target[i] = first[i].bits | static_cast<uint32_t>(second != nullptr ? second[i].bits : 0) << 16;
}

// Where, in a packed matrix of n columns and this depth, the registers of a row (the first of a pair) and column begin.
template <class Operand>
int64_t packed_at(int64_t depth, int64_t n, int64_t row, int64_t column) {
    const int64_t first = column / panel * panel, width = smaller(panel, round_up(n - first, lanes));
    return first * depth + row * width + (column - first) * Operand::pair;
}

// As many operand words as one register holds, from `left` elements of a row on; zeros beyond.
template <class Operand, class T>
inline Words load_words(const T* row, int64_t left) {
    if constexpr (__is_same(T, typename Operand::Element)) {
        Words words = {};
        const int64_t elements = lanes * Operand::pair;
        if (left >= elements) std::memcpy(&words, row, sizeof words);
        else std::memcpy(&words, row, static_cast<size_t>(left) * sizeof(T));
        return words;
    } else {
        return reinterpret_cast<Words>(left >= lanes ? Whole{}.load(row) : Part{left}.load(row));
    }
}

// A register's columns, from `column` on, of the transpose of n rows of k elements, which lie `stride` apart: of B[k, n], zeros beyond.
template <class Operand, class T>
inline void pack_register(const T* source, int64_t stride, int64_t k, int64_t n, int64_t column, typename Operand::Element* target) {
    constexpr int64_t pair = Operand::pair, step = lanes * pair;
    const int64_t depth = round_up(k, pair), next = packed_at<Operand>(depth, n, pair, column) - packed_at<Operand>(depth, n, 0, column);
    const T* from = source + column * stride;
    auto* to = target + packed_at<Operand>(depth, n, 0, column);
    int64_t row = 0;
    if (column + lanes <= n)
        for (; row + step <= k; row += step, to += lanes * next) {
            Words words[lanes];
#pragma GCC unroll 16
            for (int64_t i = 0; i < lanes; i++) words[i] = load_words<Operand>(from + i * stride + row, step);
            transpose_words(reinterpret_cast<WordRegister*>(words));
#pragma GCC unroll 16
            for (int64_t i = 0; i < lanes; i++) std::memcpy(to + i * next, &words[i], sizeof words[i]);
        }
    for (; row < k; row += step, to += lanes * next) {
        Words words[lanes];
        for (int64_t i = 0; i < lanes; i++) words[i] = column + i < n ? load_words<Operand>(from + i * stride + row, k - row) : Words{};
        transpose_words(reinterpret_cast<WordRegister*>(words));
        for (int64_t i = 0; i < lanes && row + i * pair < depth; i++) std::memcpy(to + i * next, &words[i], sizeof words[i]);
    }
}

template <class Operand, class T>
void pack_transposed(const T* source, int64_t stride, int64_t k, int64_t n, typename Operand::Element* target) {
    for (int64_t column = 0; column < n; column += lanes) pack_register<Operand>(source, stride, k, n, column, target);
}

// Packs B[k, n] = source[k · stride_k + n · stride_n], zeros beyond. One of the strides is 1.
template <class Operand, class T>
void pack(const T* source, int64_t stride_k, int64_t stride_n, int64_t k, int64_t n, typename Operand::Element* target) {
    if (stride_n != 1) return pack_transposed<Operand>(source, stride_n, k, n, target);
    constexpr int pair = Operand::pair;
    const int64_t depth = round_up(k, pair);
    // Row by row, as memory lies.
    for (int64_t row = 0; row < depth; row += pair)
        for (int64_t first = 0; first < n; first += panel) {
            const int64_t width = smaller(panel, round_up(n - first, lanes)), inside = smaller(width, n - first);
            auto* out = target + first * depth + row * width;
            const T* from = source + row * stride_k + first;
            if constexpr (__is_same(T, typename Operand::Element)) {
                auto* words = reinterpret_cast<uint32_t*>(out);
                const T* second = row + 1 < k ? from + stride_k : nullptr;
                if (inside == panel) interleave(from, second, panel, words);
                else interleave(from, second, inside, words);
                for (int64_t i = inside; i < width; i++) words[i] = 0;
            } else {
                static_assert(pair == 1);
                for_row(inside, [&](int64_t i, int64_t, auto part) { part.store(out + i, part.load(from + i)); });
                for (int64_t i = inside; i < width; i++) store(out[i], 0.0f);
            }
        }
}

// The left operand A[m, k] where it lies: element (row, step · pair) at data + row · row_stride + step · step_stride.
template <class Operand>
struct Left {
    const typename Operand::Element* data;
    int64_t row_stride, step_stride = Operand::pair;
};

// The right operand B[k, n]: `columns` columns packed to a depth of `depth` rows, of which the product begins at first_row.
template <class Operand>
struct Right {
    const typename Operand::Element* data;
    int64_t depth, columns, first_row = 0;
};

// Where the sums of a register block go: to the memory that they are added to.
struct Kept {
    void operator()(float* target, int, int, Vector sum) const { *reinterpret_cast<Unaligned*>(target) = sum; }
};

// Arguments are scalars all the way down: a structure passed through memory is read in wider pieces than it was written, for which the
// processor waits until every store before it has reached the cache.
// `ahead`: memory of which the next line is asked for every so many steps (a power of two), while the processor's buffers for it are idle.
template <class Operand, int rows, int vectors, bool has_ahead = false, class Target = Kept>
__attribute__((always_inline)) inline void register_block(int64_t steps, const typename Operand::Element* a, int64_t row_stride,
                                                          int64_t step_stride, const typename Operand::RightElement* b, int64_t b_stride,
                                                          float* c, int64_t ldc, bool add, const char* ahead = nullptr, int64_t every = 1,
                                                          Target target = {}) {
    Vector sums[rows][vectors];
    // Unrolled, so that the sums never leave the registers.
    if (add) {
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sums[r][v] = (Vector) * reinterpret_cast<const Unaligned*>(c + r * ldc + v * lanes);
    } else {
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sums[r][v] = Vector{};
    }
    for (int64_t step = 0; step < steps; step++, a += step_stride, b += b_stride) {
        if constexpr (has_ahead) {
            _mm_prefetch(ahead, _MM_HINT_T1);
            ahead += (step & (every - 1)) == 0 ? 64 : 0;
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            const auto left = Operand::broadcast(a + r * row_stride);
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) sums[r][v] = Operand::multiply_add(sums[r][v], left, b + v * lanes * Operand::pair);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) target(c + r * ldc + v * lanes, r, v, sums[r][v]);
}

template <class Operand, int vectors, class Target>
inline void register_rows(int64_t rows, int64_t steps, const typename Operand::Element* a, int64_t row_stride, int64_t step_stride,
                          const typename Operand::RightElement* b, int64_t b_stride, float* c, int64_t ldc, bool add, Target target) {
    for (; rows >= tallest; rows -= tallest, a += tallest * row_stride, c += tallest * ldc)
        register_block<Operand, tallest, vectors, false>(steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, nullptr, 1, target);
    switch (rows) {
        case 5: return register_block<Operand, 5, vectors, false>(steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, nullptr, 1, target);
        case 4: return register_block<Operand, 4, vectors, false>(steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, nullptr, 1, target);
        case 3: return register_block<Operand, 3, vectors, false>(steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, nullptr, 1, target);
        case 2: return register_block<Operand, 2, vectors, false>(steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, nullptr, 1, target);
        case 1: return register_block<Operand, 1, vectors, false>(steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, nullptr, 1, target);
        default: return;
    }
}

// C[rows, vectors registers] (+)= A · B of one panel, or of the last registers of one; b_stride: elements of a step of the panel.
template <class Operand, class Target = Kept>
inline void panel_product(int64_t rows, int64_t vectors, int64_t steps, const typename Operand::Element* a, int64_t row_stride,
                          int64_t step_stride, const typename Operand::RightElement* b, int64_t b_stride, float* c, int64_t ldc, bool add,
                          Target target = {}) {
    switch (vectors) {
#ifdef __AVX512F__
        case 4: return register_rows<Operand, 4>(rows, steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, target);
        case 3: return register_rows<Operand, 3>(rows, steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, target);
#endif
        case 2: return register_rows<Operand, 2>(rows, steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, target);
        default: return register_rows<Operand, 1>(rows, steps, a, row_stride, step_stride, b, b_stride, c, ldc, add, target);
    }
}

// Columns [from, end) of C[m, n] (+)= A · B; from is a multiple of `lanes`. ldc must leave room for n rounded up to `lanes`. k is rounded up to a
// pair: where A's last pair is half beyond k, B holds zeros for it, and A something finite.
template <class Operand>
void product(int64_t m, int64_t from, int64_t end, int64_t k, const Left<Operand>& a, const Right<Operand>& b, float* c, int64_t ldc,
             bool add) {
    const int64_t depth = round_up(b.depth, Operand::pair), steps = round_up(k, Operand::pair) / Operand::pair;
    for (int64_t first = from / panel * panel; first < end; first += panel) {
        const int64_t width = smaller(panel, round_up(b.columns - first, lanes)), begin = larger(first, from);
        const int64_t vectors = (smaller(width, round_up(end - first, lanes)) - (begin - first)) / lanes;
        const auto* columns = b.data + first * depth + b.first_row * width + (begin - first) * Operand::pair;
        panel_product<Operand>(m, vectors, steps, a.data, a.row_stride, a.step_stride, columns, width * Operand::pair, c + begin, ldc, add);
    }
}

}  // namespace uniscale::UNISCALE_SIMD
