// How the threads of a team share the result of a GEMM.
#pragma once

#include "vector.h"

namespace uniscale::UNISCALE_SIMD {

struct Interval {
    int64_t first, count;
};

inline int64_t ceiling(int64_t count, int64_t divisor) { return (count + divisor - 1) / divisor; }

// Interval `index` of `parts` of count, in whole units.
inline Interval part_of(int64_t count, int64_t unit, int64_t parts, int64_t index) {
    const int64_t units = ceiling(count, unit), begin = units * index / parts * unit, end = units * (index + 1) / parts * unit;
    return {begin, larger(0, smaller(end, count) - begin)};
}

// A team of threads as a grid over rows and columns of the result: how many share the rows. cost(rows, columns): of the largest part, in units.
template <class Cost>
int row_parts(int64_t row_units, int64_t column_units, int threads, Cost&& cost) {
    int best = 1;
    int64_t least = INT64_MAX;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts != 0) continue;
        const int64_t here = cost(ceiling(row_units, parts), ceiling(column_units, threads / parts));
        if (here < least) best = parts, least = here;
    }
    return best;
}

}  // namespace uniscale::UNISCALE_SIMD
