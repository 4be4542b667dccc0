// One vector register of fp32 values with the compiler's own operators, where a loop that the compiler vectorises by itself is slow:
// around conversions and selections. Compiled for each instruction set, as vector.h is.
#pragma once

#include <immintrin.h>

#include "vector.h"

namespace uniscale::UNISCALE_SIMD {

#ifdef __AVX512F__
constexpr int64_t lanes = 16;
// Intrinsics are used in their forms with a mask: those without give warnings (GCC bug 105593).
constexpr __mmask16 every_lane = 0xffff;
#else
constexpr int64_t lanes = 8;
#endif

typedef float Lanes __attribute__((vector_size(lanes * 4)));
typedef uint32_t Words __attribute__((vector_size(lanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(lanes * 2)));

inline Lanes all(float value) { return value - Lanes{}; }

inline Lanes load_lanes(const float* x) {
    Lanes values;
    std::memcpy(&values, x, sizeof values);
    return values;
}

inline Lanes load_lanes(const Bf16* x) {
    Halves halves;
    std::memcpy(&halves, x, sizeof halves);
#ifdef __AVX512F__
    const Words words = reinterpret_cast<Words>(_mm512_maskz_cvtepu16_epi32(every_lane, reinterpret_cast<__m256i>(halves)));
#else
    const Words words = __builtin_convertvector(halves, Words);
#endif
    return reinterpret_cast<Lanes>(words << 16);
}

inline void store_lanes(float* target, Lanes values) { std::memcpy(target, &values, sizeof values); }

// Round to nearest, ties to even; a NaN stays one.
#ifdef __AVX512BF16__
inline void store_lanes(Bf16* target, Lanes values) {
    const auto halves = _mm512_maskz_cvtneps_pbh(every_lane, (__m512)values);
    std::memcpy(target, &halves, sizeof halves);
}
#else
inline void store_lanes(Bf16* target, Lanes values) {
    const Words bits = reinterpret_cast<Words>(values);
    const Words rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const Words chosen = values != values ? Words{} + 0x7fc0u : rounded;
#ifdef __AVX512F__
    const __m256i halves = _mm512_maskz_cvtepi32_epi16(every_lane, reinterpret_cast<__m512i>(chosen));
#else
    const Halves halves = __builtin_convertvector(chosen, Halves);
#endif
    std::memcpy(target, &halves, sizeof halves);
}
#endif

// How a kernel reads and writes a register's worth of elements, and the fewer ones at the end of an array: the other lanes read
// as `beyond` and are not written.
struct Whole {
    template <class T>
    Lanes load(const T* x, float = 0) const {
        return load_lanes(x);
    }
    template <class T>
    void store(T* target, Lanes values) const {
        store_lanes(target, values);
    }
    Lanes zero_beyond(Lanes values) const { return values; }
};

struct Part {
    int64_t count;
    template <class T>
    Lanes load(const T* x, float beyond = 0) const {
        T part[lanes];
        for (T& element : part) uniscale::UNISCALE_SIMD::store(element, beyond);
        std::memcpy(part, x, static_cast<size_t>(count) * sizeof(T));
        return load_lanes(part);
    }
    template <class T>
    void store(T* target, Lanes values) const {
        T part[lanes];
        store_lanes(part, values);
        std::memcpy(target, part, static_cast<size_t>(count) * sizeof(T));
    }
    Lanes zero_beyond(Lanes values) const {
        for (int64_t lane = count; lane < lanes; lane++) values[lane] = 0;
        return values;
    }
};

// A NaN of the second stays one.
inline Lanes larger(Lanes a, Lanes b) {
#ifdef __AVX512F__
    return _mm512_maskz_max_ps(every_lane, a, b);
#else
    return _mm256_max_ps(a, b);
#endif
}

// A NaN among the values stays one.
inline Lanes at_least(Lanes values, float low) { return larger(all(low), values); }

inline Lanes at_most(Lanes values, float high) {
#ifdef __AVX512F__
    return _mm512_maskz_min_ps(every_lane, all(high), values);
#else
    return _mm256_min_ps(all(high), values);
#endif
}

// 1 / x to a unit in the last place, for normal x and 1 / x. An estimate and a step of Newton's method take a fraction of a division's time,
// where the estimate is good to 14 bits.
inline Lanes reciprocal(Lanes x) {
#ifdef __AVX512F__
    const Lanes estimate = _mm512_maskz_rcp14_ps(every_lane, x);
    return estimate * (2.0f - x * estimate);
#else
    return 1.0f / x;
#endif
}

inline float largest(Lanes values) {
    float top = values[0];
    for (int64_t lane = 1; lane < lanes; lane++) top = values[lane] > top ? values[lane] : top;
    return top;
}

inline float total(Lanes values) {
    float sum = 0;
    for (int64_t lane = 0; lane < lanes; lane++) sum += values[lane];
    return sum;
}

// 2^x to about 2 units in the last place: a polynomial fitted to the least relative error (2e-9) between whole numbers. NaN stays NaN,
// below −127 the result is 0 (or denormal), from 127.5 on it may be infinite.
inline Lanes power_of_two(Lanes x) {
#ifdef __AVX512F__
    constexpr int below = 0x09;  // towards −∞, without exceptions
    const Lanes r = _mm512_maskz_reduce_ps(every_lane, x, below);
    Lanes p = r * 2.161429438e-4f + 1.246744767e-3f;
    p = p * r + 9.675494395e-3f;
    p = p * r + 5.548525974e-2f;
    p = p * r + 2.402293086e-1f;
    p = p * r + 6.931470633e-1f;
    p = p * r + 1.0f;
    return _mm512_maskz_scalef_ps(every_lane, p, x);
#else
    x = at_most(at_least(x, -127.0f), 128.0f);
    // Adding 3·2²² rounds to a whole number, which then stands in the lowest bits; there −127 becomes the bits of 0, 128 those of ∞.
    constexpr float rounder = 12582912.0f;
    const Lanes shifted = x + rounder;
    const Lanes power = reinterpret_cast<Lanes>((reinterpret_cast<Words>(shifted) << 23) + 0x3f800000u);
    const Lanes r = x - (shifted - rounder);
    Lanes p = r * 1.535335759e-4f + 1.339887502e-3f;
    p = p * r + 9.618436918e-3f;
    p = p * r + 5.550332367e-2f;
    p = p * r + 2.402264774e-1f;
    p = p * r + 6.931471825e-1f;
    p = p * r + 1.0f;
    return p * power;
#endif
}

constexpr int64_t chains = 4;  // registers that a sum or a maximum runs in side by side

// Calls body(i, chain, part) for every register's worth of a row.
template <class Body>
inline void for_row(int64_t entries, Body&& body) {
    int64_t i = 0;
    for (; i + chains * lanes <= entries; i += chains * lanes)
        for (int64_t c = 0; c < chains; c++) body(i + c * lanes, c, Whole{});
    for (; i + lanes <= entries; i += lanes) body(i, 0, Whole{});
    if (i < entries) body(i, 0, Part{entries - i});
}

constexpr float log2_e = 1.44269504088896341f;

}  // namespace uniscale::UNISCALE_SIMD
