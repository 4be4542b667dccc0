// Blocks of the result are summed in registers over a stretch of k whose operands lie packed in the second-level cache
// (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008; the registers here are tiles).
#include "tile_product.h"

#include <omp.h>

#include "tile_pack.h"
#include "tile_scratch.h"

namespace uniscale::amx {
namespace {

// Sizes of what a thread works on at a time: rows, columns, and steps of 32 along k. Many rows where B is packed again for each.
constexpr int64_t most_rows = 512, rows_of_packed = 256, column_range = 512, most_steps = 16;

struct Part {
    int64_t first, count;
};

// Part `index` of `parts` of count, in whole blocks.
Part part_of(int64_t count, int64_t parts, int64_t index) {
    const int64_t blocks = blocks_of(count), begin = blocks * index / parts * block, end = blocks * (index + 1) / parts * block;
    return {begin, larger(0, smaller(end, count) - begin)};
}

// What one thread packs into and sums in.
struct Scratch {
    Buffer<char> a, b;
    Buffer<float> sums;

    void reserve() {
        a.resize(most_rows / block * most_steps * block_step_bytes);
        b.resize(column_range / block * most_steps * block_step_bytes);
        sums.resize(most_rows * column_range);
    }
};

// Sums of one block, [tile row][tile column] tiles, join the result.
template <bool half>
void finish(const TileProduct& p, const float* sums, int64_t row, int64_t column) {
    const int64_t rows = smaller(block, p.m - row), columns = smaller(block, p.n - column);
    const __mmask32 inside = first_lanes(columns);
    const auto low = static_cast<__mmask16>(inside), high = static_cast<__mmask16>(inside >> 16);
    __m512 bias_low = _mm512_setzero_ps(), bias_high = bias_low;
    const auto widen = [](__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); };
    if (p.bias != nullptr) {
        const Bf16* bias = static_cast<const Bf16*>(p.bias) + column;
        bias_low = widen(_mm256_maskz_loadu_epi16(low, bias));
        bias_high = widen(_mm256_maskz_loadu_epi16(high, bias + 16));
    }
    for (int64_t i = 0; i < rows; i++) {
        const float* in = sums + i / 16 * 512 + i % 16 * 16;
        __m512 left = _mm512_add_ps(_mm512_load_ps(in), bias_low), right = _mm512_add_ps(_mm512_load_ps(in + 256), bias_high);
        if constexpr (half) {
            Bf16* out = static_cast<Bf16*>(p.c) + (row + i) * p.ldc + column;
            if (p.accumulate) {
                left = _mm512_add_ps(left, widen(_mm256_maskz_loadu_epi16(low, out)));
                right = _mm512_add_ps(right, widen(_mm256_maskz_loadu_epi16(high, out + 16)));
            }
            _mm512_mask_storeu_epi16(out, inside, (__m512i)_mm512_cvtne2ps_pbh(right, left));
        } else {
            float* out = static_cast<float*>(p.c) + (row + i) * p.ldc + column;
            if (p.accumulate) {
                left = _mm512_add_ps(left, _mm512_maskz_loadu_ps(low, out));
                right = _mm512_add_ps(right, _mm512_maskz_loadu_ps(high, out + 16));
            }
            _mm512_mask_storeu_ps(out, low, left);
            _mm512_mask_storeu_ps(out + 16, high, right);
        }
    }
}

// The lines of memory that a part of an operand lies in, to be fetched one after another into the second-level cache.
class Ahead {
public:
    Ahead() = default;
    Ahead(const OuterView& x, Part outer, int64_t k, int64_t depth)
        : row(reinterpret_cast<const char*>(x.at(outer.first, k))),
          row_bytes(2 * (x.k_contiguous ? depth : outer.count)),
          stride_bytes(2 * x.stride),
          rows(x.k_contiguous ? outer.count : depth) {}

    void fetch() {
        for (int i = 0; i < 4 && rows > 0; i++) {
            _mm_prefetch(row + at, _MM_HINT_T1);
            at += 64;
            if (at < row_bytes) continue;
            at = 0;
            row += stride_bytes;
            rows--;
        }
    }

private:
    const char* row = nullptr;
    int64_t at = 0, row_bytes = 0, stride_bytes = 0, rows = 0;
};

// One thread's part of a product.
class Worker {
public:
    Worker(const TileProduct& problem, Scratch& scratch)
        : p(problem),
          s(scratch),
          a{static_cast<const Bf16*>(p.a), p.lda, !p.transpose_a},
          b{static_cast<const Bf16*>(p.b), p.ldb, p.transpose_b},
          steps(steps_of(p.k)),
          stretches((steps + most_steps - 1) / most_steps),
          row_range(p.packed != nullptr ? rows_of_packed : most_rows) {}

    void run(Part all_rows, Part all_columns) {
        for (int64_t row = 0; row < all_rows.count; row += row_range)
            for (int64_t column = 0; column < all_columns.count; column += column_range)
                for (int64_t stretch = 0; stretch < stretches; stretch++) {
                    const Task task = task_of(all_rows, all_columns, row, column, stretch);
                    ahead_a = ahead_b = {};
                    if (stretch + 1 < stretches) fetch(task, task_of(all_rows, all_columns, row, column, stretch + 1));
                    else if (column + column_range < all_columns.count) fetch(task, task_of(all_rows, all_columns, row, column + column_range, 0));
                    else if (row + row_range < all_rows.count) fetch(task, task_of(all_rows, all_columns, row + row_range, 0, 0));
                    carry_out(task);
                }
    }

private:
    struct Task {
        Part rows, columns;
        int64_t stretch, first, steps, k, depth;  // steps [first, first + steps), elements [k, k + depth)
    };

    const TileProduct& p;
    Scratch& s;
    const OuterView a, b;
    const int64_t steps, stretches, row_range;
    int64_t packed_row = -1, packed_column = -1;
    Ahead ahead_a, ahead_b;

    Task task_of(Part all_rows, Part all_columns, int64_t row, int64_t column, int64_t stretch) const {
        const int64_t first = steps * stretch / stretches, count = steps * (stretch + 1) / stretches - first, k = first * tile_depth;
        return {{all_rows.first + row, smaller(row_range, all_rows.count - row)},
                {all_columns.first + column, smaller(column_range, all_columns.count - column)},
                stretch, first, count, k, smaller(count * tile_depth, p.k - k)};
    }

    bool packs_a(const Task& task) const { return stretches > 1 || packed_row != task.rows.first; }
    bool packs_b(const Task& task) const { return p.packed == nullptr && (stretches > 1 || packed_column != task.columns.first); }

    // What the next task packs comes near while this one multiplies.
    void fetch(const Task& task, const Task& next) {
        if (stretches > 1 || next.rows.first != task.rows.first) ahead_a = Ahead(a, next.rows, next.k, next.depth);
        if (p.packed == nullptr) ahead_b = Ahead(b, next.columns, next.k, next.depth);
    }

    void carry_out(const Task& task) {
        const int64_t block_bytes = task.steps * block_step_bytes;
        if (packs_a(task)) pack<false>(a, task.rows.first, task.rows.count, task.k, task.depth, s.a.data(), block_bytes);
        if (packs_b(task)) pack<true>(b, task.columns.first, task.columns.count, task.k, task.depth, s.b.data(), block_bytes);
        packed_row = task.rows.first;
        packed_column = task.columns.first;
        if (p.packed == nullptr) return multiply(task, s.b.data(), block_bytes);
        const int64_t right_bytes = steps * block_step_bytes;
        multiply(task, p.packed + task.columns.first / block * right_bytes + task.first * block_step_bytes, right_bytes);
    }

    void multiply(const Task& task, const char* right, int64_t right_bytes) {
        const bool add = task.stretch > 0, last = task.stretch == stretches - 1;
        const int64_t rows = task.rows.count, columns = task.columns.count, element = p.c_is_bf16 ? 2 : 4;
        float* sums = s.sums.data();
        for (int64_t column = 0; column < columns; column += block, right += right_bytes) {
            const char* left = s.a.data();
            const char* next_right = column + block < columns ? right + right_bytes : right;
            for (int64_t row = 0; row < rows; row += block, left += task.steps * block_step_bytes) {
                // Beside the products: the next block of B a part a time, the result's rows, and what is packed next.
                const int64_t share = block_step_bytes / blocks_of(rows), fetched = row / block * task.steps * share;
                const int64_t result_rows = (block + task.steps - 1) / task.steps;
                const int64_t tall = smaller(block, rows - row);
                const char* result = static_cast<char*>(p.c) + ((task.rows.first + row) * p.ldc + task.columns.first + column) * element;
                const auto meanwhile = [&](int64_t step) {
                    for (int64_t i = 0; i < share; i += 64) _mm_prefetch(next_right + fetched + step * share + i, _MM_HINT_T1);
                    if (last)
                        for (int64_t i = step * result_rows; i < smaller(tall, (step + 1) * result_rows); i++) {
                            __builtin_prefetch(result + i * p.ldc * element, 1, 3);
                            if (element == 4) __builtin_prefetch(result + i * p.ldc * element + 64, 1, 3);
                        }
                    ahead_a.fetch();
                    ahead_b.fetch();
                };
                register_block(rows - row, columns - column, task.steps, left, right, sums, add, meanwhile);
                if (last) {
                    if (p.c_is_bf16) finish<true>(p, sums, task.rows.first + row, task.columns.first + column);
                    else finish<false>(p, sums, task.rows.first + row, task.columns.first + column);
                }
                if (stretches > 1) sums += block_floats;
            }
        }
    }
};

// How many threads share the rows, and how many the columns: the fewest elements packed by all of them together.
int row_parts(const TileProduct& p, int threads) {
    int best = 1;
    int64_t least = INT64_MAX;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts != 0) continue;
        const int64_t a_cost = p.transpose_a ? 2 : 1, b_cost = p.packed != nullptr ? 0 : 1;
        const int64_t rows = (blocks_of(p.m) + parts - 1) / parts, columns = (blocks_of(p.n) + threads / parts - 1) / (threads / parts);
        const int64_t cost = 64 * rows * columns + a_cost * rows + b_cost * columns;
        if (cost < least) best = parts, least = cost;
    }
    return best;
}

}  // namespace

void product(const TileProduct& p, int threads) {
    const int64_t blocks = blocks_of(p.m) * blocks_of(p.n);
    const int team = static_cast<int>(smaller(threads, blocks)), down = row_parts(p, team), across = team / down;
    Scratch* const scratch = scratch_of<Scratch>(team);
    for (int i = 0; i < team; i++) scratch[i].reserve();
#pragma omp parallel for num_threads(team) schedule(static, 1)
    for (int index = 0; index < team; index++) {
        const Tiles tiles;
        Worker(p, scratch[index]).run(part_of(p.m, down, index / across), part_of(p.n, across, index % across));
    }
}

int64_t packed_bytes(int64_t k, int64_t n) { return blocks_of(n) * steps_of(k) * block_step_bytes; }

void pack_weights(const void* b, int64_t ldb, bool transpose_b, int64_t k, int64_t n, char* target, int threads) {
    const OuterView view{static_cast<const Bf16*>(b), ldb, transpose_b};
    const int64_t block_bytes = steps_of(k) * block_step_bytes, blocks = blocks_of(n);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < blocks; i++)
        pack<true>(view, i * block, smaller(block, n - i * block), 0, k, target + i * block_bytes, block_bytes);
}

}  // namespace uniscale::amx
