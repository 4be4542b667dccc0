// What the processor reaches at most: multiply-adds whose operands come from the first-level cache by loads, on all threads at once.
#include <immintrin.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "error.h"
#include "isa.h"
#include "simd/tiles.h"

namespace {

using uniscale::Isa;

// Both operands together stay within 32 KiB. Values are those of no particular bits: processors multiply zeros with less power, and faster.
struct alignas(64) Operands {
    char a[16384], b[16384];
    float sums[1024];

    explicit Operands(int type) {
        fill(a, type);
        fill(b, type);
    }

    static void fill(char (&target)[16384], int type) {
        std::minstd_rand random(1);
        std::normal_distribution<float> normal;
        for (size_t i = 0; i < sizeof target; i += type == 1 ? 2 : 4) {
            const float value = normal(random);
            // bf16 is the upper half of fp32.
            std::memcpy(target + i, reinterpret_cast<const char*>(&value) + (type == 1 ? 2 : 0), type == 1 ? 2 : 4);
        }
    }
};

constexpr int repeats = 64;

double tiles(Operands& o) {
    constexpr int64_t steps = 8;
    for (int i = 0; i < repeats; i++) uniscale::amx::register_block<2, 2>(steps, o.a, o.b, o.sums, false);
    return 2.0 * repeats * steps * 4 * 16 * 16 * 32;
}

// As a GEMM does it: rows of A by broadcast, columns of B by vector, sums in registers.
constexpr int rows = 6, columns = 2, depth = 128;

__attribute__((target("avx512f,avx512bf16"))) double dot_products(Operands& o) {
    const auto* a = reinterpret_cast<const int32_t*>(o.a);
    for (int i = 0; i < repeats; i++) {
        __m512 sums[rows][columns] = {};
        for (int k = 0; k < depth; k++) {
            const auto left = (__m512bh)_mm512_load_si512(o.b + k % 64 * 128), right = (__m512bh)_mm512_load_si512(o.b + k % 64 * 128 + 64);
            for (int row = 0; row < rows; row++) {
                const auto one = (__m512bh)_mm512_set1_epi32(a[k * rows + row]);
                sums[row][0] = _mm512_dpbf16_ps(sums[row][0], one, left);
                sums[row][1] = _mm512_dpbf16_ps(sums[row][1], one, right);
            }
        }
        for (int row = 0; row < rows; row++) _mm512_store_ps(o.sums + row * 16, _mm512_add_ps(sums[row][0], sums[row][1]));
    }
    return 2.0 * repeats * depth * rows * columns * 32;
}

__attribute__((target("avx512f"))) double wide_fma(Operands& o) {
    const auto *a = reinterpret_cast<const float*>(o.a), *b = reinterpret_cast<const float*>(o.b);
    for (int i = 0; i < repeats; i++) {
        __m512 sums[rows][columns] = {};
        for (int k = 0; k < depth; k++) {
            const __m512 left = _mm512_load_ps(b + k * 32), right = _mm512_load_ps(b + k * 32 + 16);
            for (int row = 0; row < rows; row++) {
                const __m512 one = _mm512_set1_ps(a[k * rows + row]);
                sums[row][0] = _mm512_fmadd_ps(one, left, sums[row][0]);
                sums[row][1] = _mm512_fmadd_ps(one, right, sums[row][1]);
            }
        }
        for (int row = 0; row < rows; row++) _mm512_store_ps(o.sums + row * 16, _mm512_add_ps(sums[row][0], sums[row][1]));
    }
    return 2.0 * repeats * depth * rows * columns * 16;
}

__attribute__((target("avx2,fma"))) double fma(Operands& o) {
    const auto *a = reinterpret_cast<const float*>(o.a), *b = reinterpret_cast<const float*>(o.b);
    for (int i = 0; i < repeats; i++) {
        __m256 sums[rows][columns] = {};
        for (int k = 0; k < depth; k++) {
            const __m256 left = _mm256_load_ps(b + k * 16), right = _mm256_load_ps(b + k * 16 + 8);
            for (int row = 0; row < rows; row++) {
                const __m256 one = _mm256_set1_ps(a[k * rows + row]);
                sums[row][0] = _mm256_fmadd_ps(one, left, sums[row][0]);
                sums[row][1] = _mm256_fmadd_ps(one, right, sums[row][1]);
            }
        }
        for (int row = 0; row < rows; row++) _mm256_store_ps(o.sums + row * 8, _mm256_add_ps(sums[row][0], sums[row][1]));
    }
    return 2.0 * repeats * depth * rows * columns * 8;
}

// Operations of one run of the fastest of them in a type (0: fp32, 1: bf16).
double run(int type, Operands& operands) {
    const Isa isa = uniscale::isa();
    if (type == 1 && isa >= Isa::Amx) return tiles(operands);
    if (type == 1 && isa >= Isa::Avx512Bf16) return dot_products(operands);
    return isa >= Isa::Avx512 ? wide_fma(operands) : fma(operands);
}

// Operations a second of the calling thread: the median run, so that neither an interruption nor a burst decides.
double speed(int type, double seconds) {
    using Clock = std::chrono::steady_clock;
    Operands operands(type);
    const bool has_tiles = type == 1 && uniscale::isa() >= Isa::Amx;
    std::vector<double> speeds;
    const auto begin = Clock::now();
    const auto measure = [&] {
        while (speeds.empty() || std::chrono::duration<double>(Clock::now() - begin).count() < seconds) {
            const auto start = Clock::now();
            const double operations = run(type, operands);
            speeds.push_back(operations / std::chrono::duration<double>(Clock::now() - start).count());
        }
    };
    if (has_tiles) {
        uniscale::amx::Tiles registers;
        measure();
    } else {
        measure();
    }
    std::nth_element(speeds.begin(), speeds.begin() + speeds.size() / 2, speeds.end());
    return speeds[speeds.size() / 2];
}

}  // namespace

// Operations a second that `threads` threads reach together in a type, measured for `seconds`.
extern "C" __attribute__((visibility("default"))) int uniscale_peak(int type, int threads, double seconds, double* result) {
    return uniscale::guarded([&] {
        if (uniscale::isa() < Isa::Avx2) throw std::runtime_error("the peak is measured with AVX2 or more; this processor lacks it");
        double sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
        sum += speed(type, seconds);
        *result = sum;
    });
}
