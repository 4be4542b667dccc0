// Blocks of the result are summed in registers over a stretch of k whose operands lie packed in the second-level cache
// (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008; the registers here are tiles).
#include "tile_product.h"

#include <omp.h>

#include "tile_pack.h"
#include "tile_scratch.h"

namespace uniscale::amx {
namespace {

// Sizes of what a thread works on at a time: rows, columns, and steps of 32 along k.
constexpr int64_t row_range = 512, column_range = 512, most_steps = 16;

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
        a.resize(row_range / block * most_steps * block_step_bytes);
        b.resize(column_range / block * most_steps * block_step_bytes);
        sums.resize(row_range * column_range);
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

// One thread's part of a product.
class Worker {
public:
    Worker(const TileProduct& problem, Scratch& scratch)
        : p(problem),
          s(scratch),
          a{static_cast<const Bf16*>(p.a), p.lda, !p.transpose_a},
          b{static_cast<const Bf16*>(p.b), p.ldb, p.transpose_b},
          steps(steps_of(p.k)),
          stretches((steps + most_steps - 1) / most_steps) {}

    void run(Part rows, Part columns) {
        for (int64_t row = 0; row < rows.count; row += row_range)
            for (int64_t column = 0; column < columns.count; column += column_range)
                range({rows.first + row, smaller(row_range, rows.count - row)},
                      {columns.first + column, smaller(column_range, columns.count - column)});
    }

private:
    const TileProduct& p;
    Scratch& s;
    const OuterView a, b;
    const int64_t steps, stretches;
    int64_t packed_row = -1, packed_column = -1;

    void range(Part rows, Part columns) {
        for (int64_t stretch = 0; stretch < stretches; stretch++) {
            const int64_t first = steps * stretch / stretches, count = steps * (stretch + 1) / stretches - first;
            const int64_t k = first * tile_depth, depth = smaller(count * tile_depth, p.k - k), block_bytes = count * block_step_bytes;
            if (stretches > 1 || packed_row != rows.first) pack<false>(a, rows.first, rows.count, k, depth, s.a.data(), block_bytes);
            const char* right = s.b.data();
            int64_t right_bytes = block_bytes;
            if (p.packed != nullptr) {
                right_bytes = steps * block_step_bytes;
                right = p.packed + columns.first / block * right_bytes + first * block_step_bytes;
            } else if (stretches > 1 || packed_column != columns.first) {
                pack<true>(b, columns.first, columns.count, k, depth, s.b.data(), block_bytes);
            }
            packed_row = rows.first;
            packed_column = columns.first;
            multiply(rows, columns, count, right, right_bytes, stretch);
        }
    }

    void multiply(Part rows, Part columns, int64_t count, const char* right, int64_t right_bytes, int64_t stretch) {
        const bool first = stretch == 0, last = stretch == stretches - 1;
        float* sums = s.sums.data();
        for (int64_t column = 0; column < columns.count; column += block, right += right_bytes) {
            const char* left = s.a.data();
            for (int64_t row = 0; row < rows.count; row += block, left += count * block_step_bytes) {
                register_block(rows.count - row, columns.count - column, count, left, right, sums, !first);
                if (last) {
                    if (p.c_is_bf16) finish<true>(p, sums, rows.first + row, columns.first + column);
                    else finish<false>(p, sums, rows.first + row, columns.first + column);
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
