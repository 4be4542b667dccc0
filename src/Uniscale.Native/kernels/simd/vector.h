// Scalar building blocks that the compiler turns into vectors. Every file of this folder is compiled once for AVX2 and once for
// AVX-512, in a namespace of its own (UNISCALE_SIMD); dispatch.cpp chooses.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace uniscale::UNISCALE_SIMD {

// Scratch memory on cache lines. The standard library's templates are left out of these files on purpose: the linker keeps one copy
// of an instantiation for the whole library, and a copy compiled for AVX-512 must not serve a processor without it.
template <class T>
class Buffer {
public:
    Buffer() = default;
    explicit Buffer(int64_t count) { resize(count); }
    Buffer(int64_t count, T value) : Buffer(count) { fill(value); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { std::free(memory); }

    // What the buffer held is lost; memory once taken is kept.
    void resize(int64_t count) {
        if (count > capacity) {
            std::free(memory);
            capacity = 0;
            memory = static_cast<T*>(std::aligned_alloc(64, (static_cast<size_t>(count) * sizeof(T) + 63) / 64 * 64));
            if (memory == nullptr) throw std::bad_alloc();
            capacity = count;
        }
        size = count;
    }
    void fill(T value) {
        for (int64_t i = 0; i < size; i++) memory[i] = value;
    }
    T* data() { return memory; }
    const T* data() const { return memory; }
    T& operator[](int64_t i) { return memory[i]; }
    const T& operator[](int64_t i) const { return memory[i]; }

private:
    T* memory = nullptr;
    int64_t size = 0, capacity = 0;
};

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

struct Bf16 {
    uint16_t bits;
};

inline float from_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint32_t to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float load(float value) { return value; }
inline float load(Bf16 value) { return from_bits(static_cast<uint32_t>(value.bits) << 16); }

inline void store(float& target, float value) { target = value; }

// Round to nearest, ties to even; a NaN stays one.
inline void store(Bf16& target, float value) {
    const uint32_t bits = to_bits(value);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    target.bits = static_cast<uint16_t>(value != value ? 0x7fc0u : rounded);
}

// e^x to about 2 units in the last place (Cephes expf: range reduction by ln 2, degree-5 polynomial). NaN stays NaN; below
// −87.3 the result is the smallest normal number or less, above 88.3 infinity.
inline float exponential(float x) {
    const float clamped = x < -87.3f ? -87.3f : (x > 88.37f ? 88.37f : x);
    const float n = __builtin_rintf(clamped * 1.44269504088896341f);
    const float r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const float mantissa = p * r * r + r + 1.0f;
    const int32_t exponent = static_cast<int32_t>(n == n ? n : 0.0f);
    const float half = from_bits(static_cast<uint32_t>((exponent >> 1) + 127) << 23);
    const float rest = from_bits(static_cast<uint32_t>((exponent - (exponent >> 1)) + 127) << 23);
    const float result = mantissa * half * rest;
    return x > 88.72f ? __builtin_inff() : (x < -87.3f ? 0.0f : result);
}

// Calls body(T{}) with the element type that `type` means (0 fp32, 1 bf16).
template <class Body>
inline void with_type(int type, Body&& body) {
    if (type == 1) body(Bf16{});
    else body(float{});
}

}  // namespace uniscale::UNISCALE_SIMD
