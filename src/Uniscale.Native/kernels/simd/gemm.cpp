// Blocks of the result are summed in registers over a stretch of k, whose columns of B lie packed in panels and whose rows of A are read
// where they lie, or copied where type or order ask for it (Goto and van de Geijn,
// Anatomy of High-Performance Matrix Multiplication, 2008).
#include "gemm.h"

#include <omp.h>

#include "gelu.h"
#include "lines_ahead.h"
#include "parts.h"
#include "product.h"
#include "team_scratch.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

// How far a stretch of k reaches, and a block of rows of A, which stays in the second-level cache with its sums. A panel of a stretch of B
// is read there too, a little ahead of its use: 96 KiB, because each stretch reads and writes the sums; with registers of 32 bytes 16 KiB.
#ifdef __AVX512BF16__
using Operand = Bf16Operand;
constexpr int64_t deepest = 768, row_block = 24 * tallest;
#else
using Operand = Fp32Operand;
#ifdef __AVX512F__
constexpr int64_t deepest = 384, row_block = 16 * tallest;
#else
constexpr int64_t deepest = 256, row_block = 16 * tallest;
#endif
#endif
using Element = Operand::Element;

constexpr int64_t column_block = 512;
// Where B is not packed, a block of its columns is, a stretch at a time: it, the copied rows of A, and what is read of both for the next
// stretch stay in a second-level cache of a mebibyte.
constexpr int64_t copied_depth = 192 * Operand::pair, copied_rows = 192, copied_row_block = 4 * copied_rows, copied_columns = 384;
// Copied rows or columns of so many words lie an odd number of cache lines apart, so that they do not meet in the same sets of the cache.
constexpr int64_t odd_lines(int64_t words) { return (words + 31) / 32 * 32 + 16; }

// Sums of the rows of a register block lie apart modulo 4 KiB too: a load is compared with the stores before it by the lower 12 bits of
// their addresses.
constexpr int64_t sums_stride = column_block + panel;

// In whole pairs but for the end of the last.
struct Stretches {
    int64_t k, count;

    Stretches(int64_t k, bool packed) : k(k), count(larger(1, ceiling(k, packed ? deepest : copied_depth))) {}
    Interval operator[](int64_t index) const { return part_of(k, Operand::pair, count, index); }
};

struct Scratch {
    Buffer<Element> a, b;
    Buffer<float> sums, row_sums;

    void reserve(bool packed) {
        const int64_t rows = packed ? row_block : copied_rows, depth = packed ? deepest : copied_depth;
        a.resize(larger(rows * odd_lines(depth / Operand::pair) * Operand::pair, odd_lines(rows) * depth));
        row_sums.resize(copied_rows);
        if (!packed) b.resize(copied_columns * copied_depth);
        sums.resize((packed ? row_block : copied_row_block) * sums_stride);
    }
};

// Rows and a stretch of k of op(a): element (row, step · pair) of the register block that begins at a row.
struct Rows {
    const Element* data;
    int64_t row_stride, step_stride, block_stride;

    const Element* block(int64_t row) const { return data + row / tallest * block_stride; }
};

// Rows of a transposed matrix, whose columns are copied one by one. `sums`: of each row over the stretch, or null.
template <class T>
Rows copy_columns(const T* source, int64_t stride, Interval rows, Interval stretch, Element* copy, float* sums) {
    constexpr int64_t pair = Operand::pair;
    const int64_t step_stride = odd_lines(rows.count) * pair;
    for (int64_t i = 0; sums != nullptr && i < rows.count; i++) sums[i] = 0;
    for (int64_t step = 0; step < stretch.count; step += pair) {
        const T *from = source + step * stride, *second = step + 1 < stretch.count ? from + stride : nullptr;
        Element* to = copy + step / pair * step_stride;
        if constexpr (pair == 2) interleave(from, second, rows.count, reinterpret_cast<uint32_t*>(to));
        else for_row(rows.count, [&](int64_t i, int64_t, auto part) { part.store(to + i, part.load(from + i)); });
        if (sums != nullptr)
            for_row(rows.count, [&](int64_t i, int64_t, auto part) {
                Lanes sum = part.load(from + i);
                if (pair == 2 && second != nullptr) sum += part.load(second + i);
                part.store(sums + i, part.load(sums + i) + sum);
            });
    }
    return {copy, pair, step_stride, pair * tallest};
}

// Where they lie, or copied.
template <class T>
Rows take_rows(const GemmOperand& a, Interval rows, Interval stretch, Element* copy, float* sums) {
    constexpr int64_t pair = Operand::pair;
    const T* source = static_cast<const T*>(a.data) + rows.first * a.row_stride() + stretch.first * a.column_stride();
    if (a.transposed) return copy_columns(source, a.stride, rows, stretch, copy, sums);
    // Half a pair has no neighbour that may be read.
    if constexpr (__is_same(T, Element))
        if (stretch.count % pair == 0) return {source, a.stride, pair, tallest * a.stride};
    const int64_t stride = odd_lines(ceiling(stretch.count, pair)) * pair;
    for (int64_t row = 0; row < rows.count; row++) {
        const T* from = source + row * a.stride;
        Element* to = copy + row * stride;
        for_row(stretch.count, [&](int64_t i, int64_t, auto part) { part.store(to + i, part.load(from + i)); });
        if (stretch.count % pair != 0) store(to[stretch.count], 0.0f);
    }
    return {copy, stride, pair, tallest * stride};
}

Rows take_rows(const GemmOperand& a, Interval rows, Interval stretch, Element* copy, float* sums) {
#ifdef __AVX512BF16__
    return take_rows<Bf16>(a, rows, stretch, copy, sums);
#else
    return a.type == 1 ? take_rows<Bf16>(a, rows, stretch, copy, sums) : take_rows<float>(a, rows, stretch, copy, sums);
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

// Rows of sums on their way to the result: bias, what is added or the slope of GELU, rounding.
template <class T, class Bias, bool slope>
void finish_rows(const Gemm& p, const float* sums, Interval rows, Interval columns) {
    const uniscale_epilogue& e = p.epilogue;
    const Bias* bias = static_cast<const Bias*>(e.bias) + (e.bias == nullptr ? 0 : columns.first);
    for (int64_t row = 0; row < rows.count; row++, sums += sums_stride) {
        const int64_t at = (rows.first + row) * p.ldc + columns.first;
        T* c = static_cast<T*>(p.c) + at;
        const T *pre = static_cast<const T*>(e.pre) + (slope ? at : 0), *addend = static_cast<const T*>(e.addend) + (e.addend == nullptr ? 0 : at);
        for_row(columns.count, [&](int64_t i, int64_t, auto part) __attribute__((always_inline)) {
            Lanes values = part.load(sums + i);
            if (bias != nullptr) values += part.load(bias + i);
            if constexpr (slope) values *= gelu_slope(part.load(pre + i));
            else if (addend != nullptr) values += part.load(addend + i);
            part.store(c + i, values);
        });
    }
}

void finish(const Gemm& p, const float* sums, Interval rows, Interval columns) {
    with_type(p.c_type, [&](auto c) {
        with_type(p.b.type, [&](auto bias) {
            const bool slope = p.epilogue.activation == 2;
            (slope ? finish_rows<decltype(c), decltype(bias), true> : finish_rows<decltype(c), decltype(bias), false>)(p, sums, rows, columns);
        });
    });
}

// GELU of a block that has just been computed, row by row as memory lies.
void activate(const Gemm& p, Interval rows, Interval columns) {
    with_type(p.c_type, [&](auto type) {
        using T = decltype(type);
        for (int64_t row = rows.first; row < rows.first + rows.count; row++) {
            const int64_t at = row * p.ldc + columns.first;
            const T* pre = static_cast<const T*>(p.epilogue.pre) + at;
            T* c = static_cast<T*>(p.c) + at;
            for_row(columns.count, [&](int64_t i, int64_t, auto part) { part.store(c + i, gelu(part.load(pre + i))); });
        }
    });
}

// Lines of the result that a register block is about to write, and of what it reads for that, come near while it is computed. In assembler:
// the compiler deletes calls of a function that does nothing else (findings/gcc-drops-calls-of-prefetching-functions.sh).
void fetch(const Gemm& p, Interval rows, Interval columns) {
    const int64_t element = p.c_type == 1 ? 2 : 4;
    const void* const matrices[] = {p.c, p.epilogue.addend == p.c ? nullptr : p.epilogue.addend, p.epilogue.pre};
    for (const void* matrix : matrices)
        for (int64_t row = 0; matrix != nullptr && row < rows.count; row++) {
            const char* line = static_cast<const char*>(matrix) + ((rows.first + row) * p.ldc + columns.first) * element;
            for (int64_t at = 0; at < columns.count * element; at += 64) asm volatile("prefetcht0 %0" : : "m"(line[at]));
        }
}

// The rows and columns of a register block, and whether sums of earlier stretches are there, and none will follow.
struct Place {
    Interval rows, columns;
    bool add, last;
    int64_t every;  // steps between two lines that are asked for
};

// Each stretch is summed for itself, and added to the sum of those before: a chain over all of a long k loses digits.
struct Joined {
    bool add;
    void operator()(float* target, int, int, Vector sum) const {
        auto& kept = *reinterpret_cast<Unaligned*>(target);
        kept = add ? Vector(kept) + sum : sum;
    }
};

// A whole register block whose sums join the result straight from their registers: bias and what is added, no activation.
template <class C, class Bias, bool has_ahead>
__attribute__((noinline)) void multiply_to_result(int64_t steps, const Element* a, int64_t row_stride, int64_t step_stride, const Element* b,
                                                  float* sums, bool add, C* c, int64_t ldc, const Bias* bias, const C* addend,
                                                  const char* ahead, int64_t every) {
    const auto to_result = [=](float* before, int row, int vector, Vector sum) __attribute__((always_inline)) {
        const int64_t at = row * ldc + vector * lanes;
        Lanes values = (Lanes)sum;
        if (add) values += load_lanes(before);
        if (bias != nullptr) values += load_lanes(bias + vector * lanes);
        if (addend != nullptr) values += load_lanes(addend + at);
        store_lanes(c + at, values);
    };
    register_block<Operand, tallest, widest, has_ahead>(steps, a, row_stride, step_stride, b, panel * Operand::pair, sums, sums_stride, false,
                                                        ahead, every, to_result);
}

template <bool has_ahead>
__attribute__((noinline)) void multiply_to_sums(int64_t steps, const Element* a, int64_t row_stride, int64_t step_stride, const Element* b,
                                                float* sums, bool add, const char* ahead, int64_t every) {
    register_block<Operand, tallest, widest, has_ahead>(steps, a, row_stride, step_stride, b, panel * Operand::pair, sums, sums_stride, false,
                                                        ahead, every, Joined{add});
}

// `left`, `b` and `sums`: where the operands and sums of the register block begin.
void multiply_few(const Gemm& p, const Place& place, int64_t steps, const Rows& a, const Element* left, const Element* b, float* sums,
                  LinesAhead& sooner, LinesAhead& later) {
    const uniscale_epilogue& e = p.epilogue;
    if (place.rows.count < tallest || place.columns.count < panel) {
        const int64_t vectors = ceiling(place.columns.count, lanes);
        panel_product<Operand>(place.rows.count, vectors, steps, left, a.row_stride, a.step_stride, b, vectors * lanes * Operand::pair, sums,
                               sums_stride, false, Joined{place.add});
        if (place.last) finish(p, sums, place.rows, place.columns);
        return;
    }
    const char* next = sooner.take(steps / place.every);
    if (next == nullptr) next = later.take(steps / place.every);
    if (place.last) fetch(p, place.rows, place.columns);
    if (place.last && e.activation == 0) {
        const int64_t at = place.rows.first * p.ldc + place.columns.first;
        with_type(p.c_type, [&](auto c_type) {
            with_type(p.b.type, [&](auto bias_type) {
                using C = decltype(c_type);
                using Bias = decltype(bias_type);
                const auto multiply = next == nullptr ? multiply_to_result<C, Bias, false> : multiply_to_result<C, Bias, true>;
                multiply(steps, left, a.row_stride, a.step_stride, b, sums, place.add, static_cast<C*>(p.c) + at, p.ldc,
                         e.bias == nullptr ? nullptr : static_cast<const Bias*>(e.bias) + place.columns.first,
                         e.addend == nullptr ? nullptr : static_cast<const C*>(e.addend) + at, next, place.every);
            });
        });
        return;
    }
    const auto multiply = next == nullptr ? multiply_to_sums<false> : multiply_to_sums<true>;
    multiply(steps, left, a.row_stride, a.step_stride, b, sums, place.add, next, place.every);
    if (place.last) finish(p, sums, place.rows, place.columns);
}

// Expects the panel that is multiplied after one of packed columns: the next one of the stretch, or the first of the next stretch, or that
// of the next block of columns.
void expect_panel(const Gemm& p, const Stretches& stretches, Interval columns, int64_t column, int64_t stretch, LinesAhead& ahead) {
    const int64_t end = columns.first + columns.count;
    const bool within = column + panel < end, again = within || stretch + 1 < stretches.count;
    if (!again && end >= p.n) return ahead.expect_nothing();
    const Interval next = stretches[within ? stretch : again ? stretch + 1 : 0];
    const int64_t at = panel_at(p.n, next, within ? column + panel : again ? columns.first : end);
    ahead.expect(static_cast<const Element*>(p.packed) + at, panel * depth_of(next) * static_cast<int64_t>(sizeof(Element)), 1, 0);
}

// Expects a stretch of some rows of op(x), or of op(x) transposed, where they lie.
void expect_operand(const GemmOperand& x, bool transposed, Interval rows, Interval stretch, LinesAhead& ahead) {
    const int64_t size = x.type == 1 ? 2 : 4;
    const Interval outer = transposed ? stretch : rows, inner = transposed ? rows : stretch;
    ahead.expect(static_cast<const char*>(x.data) + (outer.first * x.stride + inner.first) * size, inner.count * size, outer.count, x.stride * size);
}

// Expects the rows of A that come after `here`: the next ones of the block, or its first ones of the next stretch, or those of the next block.
void expect_rows(const Gemm& p, const Stretches& stretches, Interval here, Interval block, int64_t last, int64_t stretch, LinesAhead& ahead) {
    const int64_t next = here.first + here.count, end = block.first + block.count;
    const bool more = stretch + 1 < stretches.count;
    if (next < end) expect_operand(p.a, p.a.transposed, {next, smaller(here.count, end - next)}, stretches[stretch], ahead);
    else if (more) expect_operand(p.a, p.a.transposed, {block.first, smaller(here.count, block.count)}, stretches[stretch + 1], ahead);
    else expect_operand(p.a, p.a.transposed, {next, smaller(here.count, last - next)}, stretches[0], ahead);
}

void add_sums(const Gemm& p, Interval rows, const float* sums, bool add) {
    float* target = p.epilogue.row_sums + rows.first;
    add = add || p.epilogue.add_row_sums != 0;
    for_row(rows.count, [&](int64_t i, int64_t, auto part) { part.store(target + i, add ? part.load(target + i) + part.load(sums + i) : part.load(sums + i)); });
}

// One block of the result: a stretch after another; of the last, the sums of a register block join the result as soon as they are there.
// `last`: the row behind those of this thread.
void multiply_block(const Gemm& p, Interval rows, int64_t last, Interval columns, Scratch& s) {
    const bool packed = p.packed != nullptr;
    const Stretches stretches(p.k, packed);
    const int64_t height = packed ? row_block : copied_rows;
    LinesAhead ahead_of_columns, ahead_of_rows, &sooner = packed ? ahead_of_columns : ahead_of_rows, &later = packed ? ahead_of_rows : ahead_of_columns;
    for (int64_t i = 0; i < stretches.count; i++) {
        const Interval stretch = stretches[i];
        const int64_t depth = depth_of(stretch), steps = depth / Operand::pair;
        if (!packed) {
            pack_columns(p.b, columns, stretch, s.b.data());
            if (i + 1 < stretches.count) expect_operand(p.b, !p.b.transposed, columns, stretches[i + 1], ahead_of_columns);
            else ahead_of_columns.expect_nothing();
        }
        for (int64_t down = 0; down < rows.count; down += height) {
            const Interval here{rows.first + down, smaller(height, rows.count - down)};
            const bool summed = p.epilogue.row_sums != nullptr && columns.first == 0;
            const Rows a = take_rows(p.a, here, stretch, s.a.data(), summed ? s.row_sums.data() : nullptr);
            if (summed) add_sums(p, here, s.row_sums.data(), i > 0);
            const Element* b = packed ? static_cast<const Element*>(p.packed) + panel_at(p.n, stretch, columns.first) : s.b.data();
            expect_rows(p, stretches, here, rows, last, i, ahead_of_rows);
            const int64_t every = !packed ? 8 : here.count >= 16 * tallest ? 4 : here.count >= 8 * tallest ? 2 : 1;
            for (int64_t first = 0; first < columns.count; first += panel, b += panel * depth) {
                const Interval some{columns.first + first, smaller(panel, columns.count - first)};
                if (packed) expect_panel(p, stretches, columns, some.first, i, ahead_of_columns);
                for (int64_t row = 0; row < here.count; row += tallest) {
                    const Interval few{here.first + row, smaller(tallest, here.count - row)};
                    float* sums = s.sums.data() + (stretches.count == 1 ? 0 : (down + row) * sums_stride + first);
                    multiply_few(p, {few, some, i > 0, i == stretches.count - 1, every}, steps, a, a.block(row), b, sums, sooner, later);
                }
            }
        }
    }
}

// One thread's part of the result. Where B is packed and stays in the cache, all columns for a block of rows; otherwise all rows for a block of columns.
void multiply(const Gemm& p, Interval all_rows, Interval all_columns, Scratch& s) {
    constexpr int64_t cached_bytes = 3 << 19;
    const bool packed = p.packed != nullptr, by_rows = packed && panels_bytes(p.k, all_columns.count) <= cached_bytes;
    const int64_t height = packed ? row_block : copied_row_block, width = packed ? column_block : copied_columns;
    Gemm product = p;
    if (p.epilogue.activation == 1) product.c = p.epilogue.pre, product.epilogue.pre = nullptr, product.epilogue.activation = 0;
    const int64_t row_blocks = ceiling(all_rows.count, height), column_blocks = ceiling(all_columns.count, width);
    for (int64_t i = 0; i < row_blocks * column_blocks; i++) {
        const int64_t row = (by_rows ? i / column_blocks : i % row_blocks) * height;
        const int64_t column = (by_rows ? i % column_blocks : i / row_blocks) * width;
        const Interval rows{all_rows.first + row, smaller(height, all_rows.count - row)};
        const Interval columns{all_columns.first + column, smaller(width, all_columns.count - column)};
        multiply_block(product, rows, all_rows.first + all_rows.count, columns, s);
        if (p.epilogue.activation == 1) activate(p, rows, columns);
    }
}

}  // namespace

int64_t panels_bytes(int64_t k, int64_t n) {
    return larger(1, round_up(k, Operand::pair)) * round_up(n, lanes) * static_cast<int64_t>(sizeof(Element));
}

void pack_panels(const GemmOperand& b, int64_t k, int64_t n, void* target, int threads) {
    const Stretches stretches(k, true);
    const int64_t blocks = ceiling(n, column_block);
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
    for (int64_t i = 0; i < stretches.count; i++)
        for (int64_t j = 0; j < blocks; j++) {
            const Interval stretch = stretches[i], columns{j * column_block, smaller(column_block, n - j * column_block)};
            pack_columns(b, columns, stretch, static_cast<Element*>(target) + panel_at(n, stretch, columns.first));
        }
}

void gemm(const Gemm& p, int threads) {
    const int64_t row_units = ceiling(p.m, tallest), column_units = ceiling(p.n, panel);
    const int team = static_cast<int>(smaller(threads, row_units * column_units));
    // Each thread copies its rows once for every block of its columns; of columns it reads what is packed, or packs them once for every block of its rows.
    const bool packed = p.packed != nullptr;
    const int down = row_parts(row_units, column_units, team, [&](int64_t rows, int64_t columns) {
        return packed ? rows * (32 * columns + 1) + 16 * columns
                      : rows * columns * panel * 8 + rows * tallest * ceiling(columns * panel, copied_columns) + columns * panel * ceiling(rows * tallest, copied_row_block);
    });
    const int across = team / down;
    Scratch* const scratch = scratch_of<Scratch>(team);
    for (int index = 0; index < team; index++) scratch[index].reserve(packed);
#pragma omp parallel for num_threads(team) schedule(static, 1)
    for (int index = 0; index < team; index++)
        multiply(p, part_of(p.m, tallest, down, index / across), part_of(p.n, panel, across, index % across), scratch[index]);
}

}  // namespace uniscale::UNISCALE_SIMD
