// Sums over the rows of a matrix.
#include <omp.h>

#include "simd.h"
#include "vector.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

// Columns of a part of the matrix: a few kilobytes of sums stay in the first-level cache while the rows pass by.
constexpr int64_t part = 512, rows_at_once = 8;

template <class T>
void add_rows(const T* x, int64_t rows, int64_t stride, float* sums, int64_t columns) {
    int64_t row = 0;
    for (; row + rows_at_once <= rows; row += rows_at_once) {
        const T* at = x + row * stride;
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) {
            float sum = sums[i];
            for (int64_t r = 0; r < rows_at_once; r++) sum += load(at[r * stride + i]);
            sums[i] = sum;
        }
    }
    for (; row < rows; row++)
#pragma omp simd
        for (int64_t i = 0; i < columns; i++) sums[i] += load(x[row * stride + i]);
}

}  // namespace

void column_sums(const void* x, float* sums, int64_t rows, int64_t columns, int add, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        const T* in = static_cast<const T*>(x);
        const int64_t wide = smaller(part, larger(64, (columns / omp_get_max_threads() + 63) / 64 * 64));
#pragma omp parallel for schedule(static)
        for (int64_t first = 0; first < columns; first += wide) {
            const int64_t count = smaller(wide, columns - first);
            if (!add)
                for (int64_t i = 0; i < count; i++) sums[first + i] = 0.0f;
            add_rows(in + first, rows, columns, sums + first, count);
        }
    });
}

}  // namespace uniscale::UNISCALE_SIMD
