// Blocks of the result are summed in registers over a stretch of k, whose rows of A and columns of B lie packed in the caches as fp32
// (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008).
#include "gemm.h"

#include <omp.h>

#include "gelu.h"
#include "parts.h"
#include "product.h"
#include "team_scratch.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

// A stretch of k of one panel of B stays in the first-level cache, a block of rows of A and its sums in the second.
constexpr int64_t deepest = 256, row_block = 16 * tallest, column_block = 512;
// Rows of A lie a cache line more than a power of two apart, so that they do not meet in the same sets of the cache.
constexpr int64_t a_stride = deepest + 16;

int64_t stretches_of(int64_t k) { return larger(1, ceiling(k, deepest)); }

Interval stretch_of(int64_t k, int64_t index) {
    const int64_t count = stretches_of(k), first = k * index / count;
    return {first, k * (index + 1) / count - first};
}

struct Scratch {
    Buffer<float> a, sums;

    void reserve() {
        a.resize(row_block * a_stride);
        sums.resize(row_block * column_block);
    }
};

// Rows [rows.first, ...) and the stretch of k of op(a), as fp32.
template <class T>
void take_rows(const GemmOperand& a, Interval rows, Interval stretch, float* target) {
    const T* source = static_cast<const T*>(a.data) + rows.first * a.row_stride() + stretch.first * a.column_stride();
    if (a.transposed) {
        for (int64_t step = 0; step < stretch.count; step++)
            for (int64_t row = 0; row < rows.count; row++) target[row * a_stride + step] = load(source[step * a.stride + row]);
    } else {
        for (int64_t row = 0; row < rows.count; row++)
            for_row(stretch.count, [&](int64_t i, int64_t, auto part) { part.store(target + row * a_stride + i, part.load(source + row * a.stride + i)); });
    }
}

// Columns and a stretch of k of op(b), in panels.
void pack_columns(const GemmOperand& b, Interval columns, Interval stretch, float* target) {
    with_type(b.type, [&](auto t) {
        using T = decltype(t);
        const T* source = static_cast<const T*>(b.data) + stretch.first * b.row_stride() + columns.first * b.column_stride();
        pack<Fp32Operand>(source, b.row_stride(), b.column_stride(), stretch.count, columns.count, target);
    });
}

// Where the panels of a stretch begin from a column on.
int64_t panel_at(int64_t n, Interval stretch, int64_t column) { return stretch.first * round_up(n, lanes) + column * stretch.count; }

// One row's sums on their way to the result: bias, activation, what is added, rounding.
template <class T, class Bias>
void finish_row(const Gemm& p, const float* sums, int64_t row, Interval columns) {
    const uniscale_epilogue& e = p.epilogue;
    const int64_t at = row * p.ldc + columns.first;
    T *c = static_cast<T*>(p.c) + at, *pre = static_cast<T*>(e.pre) + (e.pre == nullptr ? 0 : at);
    const T* addend = static_cast<const T*>(e.addend) + (e.addend == nullptr ? 0 : at);
    const Bias* bias = static_cast<const Bias*>(e.bias) + (e.bias == nullptr ? 0 : columns.first);
    for_row(columns.count, [&](int64_t i, int64_t, auto part) {
        Lanes values = part.load(sums + i);
        if (e.bias != nullptr) values += part.load(bias + i);
        if (e.activation == 1) {
            // Of what a later pass would read, which is rounded.
            part.store(pre + i, values);
            values = gelu(part.load(pre + i));
        } else if (e.activation == 2) {
            values *= gelu_slope(part.load(pre + i));
        }
        if (e.addend != nullptr) values += part.load(addend + i);
        part.store(c + i, values);
    });
}

void finish(const Gemm& p, const float* sums, Interval rows, Interval columns) {
    with_type(p.c_type, [&](auto c) {
        with_type(p.b.type, [&](auto bias) {
            for (int64_t row = 0; row < rows.count; row++)
                finish_row<decltype(c), decltype(bias)>(p, sums + row * column_block, rows.first + row, columns);
        });
    });
}

// One thread's part of the result.
void multiply(const Gemm& p, Interval all_rows, Interval all_columns, Scratch& s) {
    for (int64_t column = 0; column < all_columns.count; column += column_block)
        for (int64_t row = 0; row < all_rows.count; row += row_block) {
            const Interval rows{all_rows.first + row, smaller(row_block, all_rows.count - row)};
            const Interval columns{all_columns.first + column, smaller(column_block, all_columns.count - column)};
            for (int64_t i = 0; i < stretches_of(p.k); i++) {
                const Interval stretch = stretch_of(p.k, i);
                with_type(p.a.type, [&](auto t) { take_rows<decltype(t)>(p.a, rows, stretch, s.a.data()); });
                product<Fp32Operand>(rows.count, 0, columns.count, stretch.count, {s.a.data(), a_stride},
                                     {p.packed + panel_at(p.n, stretch, columns.first), stretch.count, columns.count}, s.sums.data(), column_block, i > 0);
            }
            finish(p, s.sums.data(), rows, columns);
        }
}

}  // namespace

int64_t panels_size(int64_t k, int64_t n) { return larger(1, k) * round_up(n, lanes); }

void pack_panels(const GemmOperand& b, int64_t k, int64_t n, float* target, int threads) {
    const int64_t stretches = stretches_of(k), blocks = ceiling(n, column_block);
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
    for (int64_t i = 0; i < stretches; i++)
        for (int64_t j = 0; j < blocks; j++) {
            const Interval stretch = stretch_of(k, i), columns{j * column_block, smaller(column_block, n - j * column_block)};
            pack_columns(b, columns, stretch, target + panel_at(n, stretch, columns.first));
        }
}

void gemm(const Gemm& problem, int threads) {
    Gemm p = problem;
    thread_local Buffer<float> panels;
    if (p.packed == nullptr) {
        panels.resize(panels_size(p.k, p.n));
        pack_panels(p.b, p.k, p.n, panels.data(), threads);
        p.packed = panels.data();
    }
    const int64_t row_units = ceiling(p.m, tallest), column_units = ceiling(p.n, panel);
    const int team = static_cast<int>(smaller(threads, row_units * column_units));
    // Each thread packs its rows, once for every block of its columns.
    const int down = row_parts(row_units, column_units, team, [](int64_t rows, int64_t columns) { return rows * (32 * columns + 1); }), across = team / down;
    Scratch* const scratch = scratch_of<Scratch>(team);
    for (int index = 0; index < team; index++) scratch[index].reserve();
#pragma omp parallel for num_threads(team) schedule(static, 1)
    for (int index = 0; index < team; index++)
        multiply(p, part_of(p.m, tallest, down, index / across), part_of(p.n, panel, across, index % across), scratch[index]);
}

}  // namespace uniscale::UNISCALE_SIMD
