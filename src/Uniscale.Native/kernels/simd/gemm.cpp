// Blocks of the result are summed in registers over a stretch of k, whose columns of B lie packed in panels and whose rows of A are read
// where they lie, or copied where type or order ask for it (Goto and van de Geijn,
// Anatomy of High-Performance Matrix Multiplication, 2008).
#include "gemm.h"

#include <omp.h>

#include "gelu.h"
#include "parts.h"
#include "product.h"
#include "team_scratch.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

// How far a stretch of k reaches, and a block of rows of A, which stays in the second-level cache with its sums. A panel of a stretch of B
// is read there too: 96 KiB of pairs, because each stretch reads and writes the sums; 16 or 64 KiB of fp32.
#ifdef __AVX512BF16__
using Operand = Bf16Operand;
constexpr int64_t deepest = 768, row_block = 24 * tallest;
#else
using Operand = Fp32Operand;
constexpr int64_t deepest = 256, row_block = 16 * tallest;
#endif
using Element = Operand::Element;

constexpr int64_t column_block = 512;
// Copied rows of A lie a cache line more than a power of two apart, so that they do not meet in the same sets of the cache.
constexpr int64_t a_stride = deepest + 64 / static_cast<int64_t>(sizeof(Element));

// Sums of the rows of a register block lie apart modulo 4 KiB too: a load is compared with the stores before it by the lower 12 bits of
// their addresses.
constexpr int64_t sums_stride = column_block + panel;

int64_t stretches_of(int64_t k) { return larger(1, ceiling(k, deepest)); }

// In whole pairs but for the end of the last.
Interval stretch_of(int64_t k, int64_t index) { return part_of(k, Operand::pair, stretches_of(k), index); }

struct Scratch {
    Buffer<Element> a;
    Buffer<float> sums;

    void reserve() {
        a.resize(row_block * a_stride);
        sums.resize(row_block * sums_stride);
    }
};

// Rows and a stretch of k of op(a) as the left operand of products: where they lie, or copied.
template <class T>
Left<Operand> take_rows(const GemmOperand& a, Interval rows, Interval stretch, Element* copy) {
    constexpr int64_t pair = Operand::pair;
    const T* source = static_cast<const T*>(a.data) + rows.first * a.row_stride() + stretch.first * a.column_stride();
    if (a.transposed) {
        for (int64_t step = 0; step < stretch.count; step += pair) {
            const T* from = source + step * a.stride;
            Element* to = copy + step * row_block;
            if constexpr (pair == 2)
                interleave(from, step + 1 < stretch.count ? from + a.stride : nullptr, rows.count, reinterpret_cast<uint32_t*>(to));
            else for_row(rows.count, [&](int64_t i, int64_t, auto part) { part.store(to + i, part.load(from + i)); });
        }
        return {copy, pair, pair * row_block};
    }
    // Half a pair has no neighbour that may be read.
    if constexpr (__is_same(T, Element))
        if (stretch.count % pair == 0) return {source, a.stride};
    for (int64_t row = 0; row < rows.count; row++) {
        const T* from = source + row * a.stride;
        Element* to = copy + row * a_stride;
        for_row(stretch.count, [&](int64_t i, int64_t, auto part) { part.store(to + i, part.load(from + i)); });
        if (stretch.count % pair != 0) store(to[stretch.count], 0.0f);
    }
    return {copy, a_stride};
}

Left<Operand> take_rows(const GemmOperand& a, Interval rows, Interval stretch, Element* copy) {
#ifdef __AVX512BF16__
    return take_rows<Bf16>(a, rows, stretch, copy);
#else
    return a.type == 1 ? take_rows<Bf16>(a, rows, stretch, copy) : take_rows<float>(a, rows, stretch, copy);
#endif
}

// Columns and a stretch of k of op(b), in panels.
template <class T>
void pack_columns(const GemmOperand& b, Interval columns, Interval stretch, Element* target) {
    const T* source = static_cast<const T*>(b.data) + stretch.first * b.row_stride() + columns.first * b.column_stride();
    pack<Operand>(source, b.row_stride(), b.column_stride(), stretch.count, columns.count, target);
}

void pack_columns(const GemmOperand& b, Interval columns, Interval stretch, Element* target) {
#ifdef __AVX512BF16__
    pack_columns<Bf16>(b, columns, stretch, target);
#else
    if (b.type == 1) pack_columns<Bf16>(b, columns, stretch, target);
    else pack_columns<float>(b, columns, stretch, target);
#endif
}

int64_t depth_of(Interval stretch) { return round_up(stretch.count, Operand::pair); }

// Where the panels of a stretch begin from a column on.
int64_t panel_at(int64_t n, Interval stretch, int64_t column) { return stretch.first * round_up(n, lanes) + column * depth_of(stretch); }

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
                finish_row<decltype(c), decltype(bias)>(p, sums + row * sums_stride, rows.first + row, columns);
        });
    });
}

// Lines of the result that a register block is about to write, and of what it reads for that, come near while it is computed.
void fetch(const Gemm& p, Interval rows, Interval columns) {
    const int64_t element = p.c_type == 1 ? 2 : 4;
    const void* const matrices[] = {p.c, p.epilogue.addend == p.c ? nullptr : p.epilogue.addend, p.epilogue.pre};
    for (const void* matrix : matrices)
        for (int64_t row = 0; matrix != nullptr && row < rows.count; row++) {
            const char* line = static_cast<const char*>(matrix) + ((rows.first + row) * p.ldc + columns.first) * element;
            for (int64_t at = 0; at < columns.count * element; at += 64) __builtin_prefetch(line + at, 1, 3);
        }
}

constexpr int64_t few_rows = 12 * tallest;  // fewer than a block that stays in the second-level cache has

// The panel that is multiplied next, where there are few rows: the first of them would wait for memory, and the others leave it idle.
class PanelAhead {
public:
    PanelAhead(const Gemm& p, Interval columns, int64_t column, int64_t stretch, int64_t rows)
        : next(rows <= few_rows ? after(p, columns, column, stretch) : nullptr),
          left(panel * depth_of(stretch_of(p.k, stretch)) * static_cast<int64_t>(sizeof(Element))) {}

    // What is asked for in so many steps of a whole register block; null: nothing is left, or wanted.
    const char* take(int64_t steps) {
        if (next == nullptr || left <= 0) return nullptr;
        const char* from = next;
        next += steps * 64, left -= steps * 64;
        return from;
    }

private:
    const char* next;
    int64_t left;

    // The next panel of the stretch, or the first of the next stretch, or that of the next block of columns.
    static const char* after(const Gemm& p, Interval columns, int64_t column, int64_t stretch) {
        const int64_t end = columns.first + columns.count;
        const bool within = column + panel < end, again = within || stretch + 1 < stretches_of(p.k);
        const int64_t at = within ? panel_at(p.n, stretch_of(p.k, stretch), column + panel)
                           : again ? panel_at(p.n, stretch_of(p.k, stretch + 1), columns.first)
                                   : panel_at(p.n, stretch_of(p.k, 0), end);
        return end < p.n || again ? reinterpret_cast<const char*>(static_cast<const Element*>(p.packed) + at) : nullptr;
    }
};

// One block of the result: a stretch after another; of the last, the sums of a register block join the result as soon as they are there.
void multiply_block(const Gemm& p, Interval rows, Interval columns, Scratch& s) {
    const int64_t stretches = stretches_of(p.k);
    for (int64_t i = 0; i < stretches; i++) {
        const Interval stretch = stretch_of(p.k, i);
        const Left<Operand> a = take_rows(p.a, rows, stretch, s.a.data());
        const Element* b = static_cast<const Element*>(p.packed) + panel_at(p.n, stretch, columns.first);
        const int64_t depth = depth_of(stretch), steps = depth / Operand::pair;
        for (int64_t first = 0; first < columns.count; first += panel, b += panel * depth) {
            const Interval some{columns.first + first, smaller(panel, columns.count - first)};
            const int64_t vectors = ceiling(some.count, lanes), at_once = i < stretches - 1 && rows.count > few_rows ? rows.count : tallest;
            PanelAhead ahead(p, columns, some.first, i, rows.count);
            for (int64_t row = 0; row < rows.count; row += at_once) {
                const Interval few{rows.first + row, smaller(at_once, rows.count - row)};
                float* sums = s.sums.data() + (stretches == 1 ? 0 : row * sums_stride + first);
                if (i == stretches - 1) fetch(p, few, some);
                const Element* left = a.data + row * a.row_stride;
                const char* line = few.count == tallest && vectors == widest ? ahead.take(steps) : nullptr;
                if (line != nullptr)
                    register_block<Operand, tallest, widest, true>(steps, left, a.row_stride, a.step_stride, b, panel * Operand::pair, sums,
                                                                   sums_stride, i > 0, line);
                else
                    panel_product<Operand>(few.count, vectors, steps, left, a.row_stride, a.step_stride, b, vectors * lanes * Operand::pair, sums,
                                           sums_stride, i > 0);
                if (i == stretches - 1) finish(p, sums, few, some);
            }
        }
    }
}

// One thread's part of the result. Where B stays in the cache, all columns for a block of rows; otherwise all rows for a block of columns.
void multiply(const Gemm& p, Interval all_rows, Interval all_columns, Scratch& s) {
    constexpr int64_t cached_bytes = 3 << 19;
    const bool by_rows = panels_bytes(p.k, all_columns.count) <= cached_bytes;
    const int64_t row_blocks = ceiling(all_rows.count, row_block), column_blocks = ceiling(all_columns.count, column_block);
    for (int64_t i = 0; i < row_blocks * column_blocks; i++) {
        const int64_t row = (by_rows ? i / column_blocks : i % row_blocks) * row_block;
        const int64_t column = (by_rows ? i % column_blocks : i / row_blocks) * column_block;
        multiply_block(p, {all_rows.first + row, smaller(row_block, all_rows.count - row)},
                       {all_columns.first + column, smaller(column_block, all_columns.count - column)}, s);
    }
}

}  // namespace

int64_t panels_bytes(int64_t k, int64_t n) {
    return larger(1, round_up(k, Operand::pair)) * round_up(n, lanes) * static_cast<int64_t>(sizeof(Element));
}

void pack_panels(const GemmOperand& b, int64_t k, int64_t n, void* target, int threads) {
    const int64_t stretches = stretches_of(k), blocks = ceiling(n, column_block);
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
    for (int64_t i = 0; i < stretches; i++)
        for (int64_t j = 0; j < blocks; j++) {
            const Interval stretch = stretch_of(k, i), columns{j * column_block, smaller(column_block, n - j * column_block)};
            pack_columns(b, columns, stretch, static_cast<Element*>(target) + panel_at(n, stretch, columns.first));
        }
}

void gemm(const Gemm& problem, int threads) {
    Gemm p = problem;
    thread_local Buffer<char> panels;
    if (p.packed == nullptr) {
        panels.resize(panels_bytes(p.k, p.n));
        pack_panels(p.b, p.k, p.n, panels.data(), threads);
        p.packed = panels.data();
    }
    const int64_t row_units = ceiling(p.m, tallest), column_units = ceiling(p.n, panel);
    const int team = static_cast<int>(smaller(threads, row_units * column_units));
    // Each thread packs its rows, once for every block of its columns, and reads its columns from memory.
    const int down = row_parts(row_units, column_units, team, [](int64_t rows, int64_t columns) { return rows * (32 * columns + 1) + 16 * columns; }), across = team / down;
    Scratch* const scratch = scratch_of<Scratch>(team);
    for (int index = 0; index < team; index++) scratch[index].reserve();
#pragma omp parallel for num_threads(team) schedule(static, 1)
    for (int index = 0; index < team; index++)
        multiply(p, part_of(p.m, tallest, down, index / across), part_of(p.n, panel, across, index % across), scratch[index]);
}

}  // namespace uniscale::UNISCALE_SIMD
