// Blocks of the result are summed in registers over a stretch of k whose operands lie packed in the second-level cache
// (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008; the registers here are tiles).
#include "tile_product.h"

#include <omp.h>

#include "tile_pack.h"
#include "tile_scratch.h"

namespace uniscale::amx {
namespace {

// What a thread works on at a time, in its second-level cache: a range of rows of A, packed, of at most this size beside the
// columns of B that pass by. Longer k is cut into stretches, whose sums then lie there as well.
constexpr int64_t range_bytes = 1 << 20, most_rows = 512, most_steps = 64;
constexpr int64_t range_bytes_beside_sums = 768 << 10, most_sums = 192 << 10, steps_of_stretch = 48;
constexpr int64_t streamed_bytes = 1 << 20;
// A result of at most this many rows and columns: both operands are packed by every thread, a short stretch at a time, into the cache.
constexpr int64_t narrow = 512, narrow_steps = 16;
constexpr int64_t row_step_bytes = 2 * tile_depth;

struct Part {
    int64_t first, count;
};

// Part `index` of `parts` of count, in whole blocks.
Part part_of(int64_t count, int64_t parts, int64_t index) {
    const int64_t blocks = blocks_of(count), begin = blocks * index / parts * block, end = blocks * (index + 1) / parts * block;
    return {begin, larger(0, smaller(end, count) - begin)};
}

int64_t ceiling(int64_t count, int64_t divisor) { return (count + divisor - 1) / divisor; }

// The size of equal ranges of at most `most` that cover count, in whole blocks.
int64_t range_of(int64_t count, int64_t most) {
    const int64_t whole = larger(block, most / block * block);
    return blocks_of(ceiling(count, larger(1, ceiling(count, whole)))) * block;
}

int64_t result_rows(const TileProduct& p) { return p.transposed ? p.n : p.m; }
int64_t result_columns(const TileProduct& p) { return p.transposed ? p.m : p.n; }

// Sums of one block, [tile row][tile column] tiles, on their way to a row and column of the result.
struct Finished {
    float* sums;
    int64_t row, column;
};

void transpose(float* sums) {
    __m512i tiles[4][16];
    for (int tile = 0; tile < 4; tile++) {
        for (int i = 0; i < 16; i++) tiles[tile][i] = _mm512_load_si512(sums + tile * 256 + i * 16);
        transpose_words(tiles[tile]);
    }
    constexpr int place[] = {0, 2, 1, 3};
    for (int tile = 0; tile < 4; tile++)
        for (int i = 0; i < 16; i++) _mm512_store_si512(sums + place[tile] * 256 + i * 16, tiles[tile][i]);
}

// A large result that is only written goes past the caches, whole lines at a time: it would not stay there until it is read, and
// a line that is written into the cache is read from memory first.
bool goes_past_cache(const TileProduct& p) {
    const int64_t element = p.c_is_bf16 ? 2 : 4;
    return !p.accumulate && p.m * p.n * element >= streamed_bytes && p.ldc * element % 64 == 0 && reinterpret_cast<uintptr_t>(p.c) % 64 == 0;
}

// Rows [from, to) of a finished block join the result.
template <bool half>
void finish(const TileProduct& p, bool streams, const Finished& f, int64_t from, int64_t to) {
    if (p.transposed && from == 0) transpose(f.sums);
    const int64_t columns = smaller(block, result_columns(p) - f.column);
    const bool past_cache = streams && columns == block;
    const __mmask32 inside = first_lanes(columns);
    const auto low = static_cast<__mmask16>(inside), high = static_cast<__mmask16>(inside >> 16);
    __m512 bias_low = _mm512_setzero_ps(), bias_high = bias_low;
    const auto widen = [](__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); };
    if (p.bias != nullptr) {
        const Bf16* bias = static_cast<const Bf16*>(p.bias) + f.column;
        bias_low = widen(_mm256_maskz_loadu_epi16(low, bias));
        bias_high = widen(_mm256_maskz_loadu_epi16(high, bias + 16));
    }
    for (int64_t i = from; i < smaller(to, result_rows(p) - f.row); i++) {
        const float* in = f.sums + i / 16 * 512 + i % 16 * 16;
        __m512 left = _mm512_add_ps(_mm512_load_ps(in), bias_low), right = _mm512_add_ps(_mm512_load_ps(in + 256), bias_high);
        if constexpr (half) {
            Bf16* out = static_cast<Bf16*>(p.c) + (f.row + i) * p.ldc + f.column;
            if (p.accumulate) {
                left = _mm512_add_ps(left, widen(_mm256_maskz_loadu_epi16(low, out)));
                right = _mm512_add_ps(right, widen(_mm256_maskz_loadu_epi16(high, out + 16)));
            }
            const auto both = (__m512i)_mm512_cvtne2ps_pbh(right, left);
            if (past_cache) _mm512_stream_si512(reinterpret_cast<__m512i*>(out), both);
            else _mm512_mask_storeu_epi16(out, inside, both);
        } else {
            float* out = static_cast<float*>(p.c) + (f.row + i) * p.ldc + f.column;
            if (p.accumulate) {
                left = _mm512_add_ps(left, _mm512_maskz_loadu_ps(low, out));
                right = _mm512_add_ps(right, _mm512_maskz_loadu_ps(high, out + 16));
            }
            if (past_cache) {
                _mm512_stream_ps(out, left);
                _mm512_stream_ps(out + 16, right);
            } else {
                _mm512_mask_storeu_ps(out, low, left);
                _mm512_mask_storeu_ps(out + 16, high, right);
            }
        }
    }
}

// The lines of memory that a part of an operand lies in, to be fetched into the second-level cache within so many steps.
class Ahead {
public:
    Ahead() = default;
    Ahead(const OuterView& x, Part outer, int64_t k, int64_t depth, int64_t steps)
        : row(reinterpret_cast<const char*>(x.at(outer.first, k))),
          row_bytes(2 * (x.k_contiguous ? depth : outer.count)),
          stride_bytes(2 * x.stride),
          rows(x.k_contiguous ? outer.count : depth),
          lines(ceiling(ceiling(row_bytes, 64) * rows, steps)) {}

    void fetch() {
        for (int64_t i = 0; i < lines && rows > 0; i++) {
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
    int64_t at = 0, row_bytes = 0, stride_bytes = 0, rows = 0, lines = 0;
};

// How a product is cut: stretches of k, ranges of rows and of columns.
struct Cut {
    int64_t steps, stretches, rows, columns;

    Cut(const TileProduct& p, int64_t all_rows, int64_t all_columns)
        : steps(steps_of(p.k)), stretches(1), rows(blocks_of(all_rows) * block), columns(blocks_of(all_columns) * block) {
        if (p.packed == nullptr) {
            stretches = ceiling(steps, narrow_steps);
            return;
        }
        if (steps > most_steps) stretches = ceiling(steps, steps_of_stretch);
        const int64_t bytes = stretches == 1 ? range_bytes : range_bytes_beside_sums;
        rows = range_of(all_rows, smaller(most_rows, bytes / (ceiling(steps, stretches) * row_step_bytes)));
        if (stretches > 1) columns = range_of(all_columns, most_sums / rows);
    }

    int64_t a_bytes() const { return rows * ceiling(steps, stretches) * row_step_bytes; }
    int64_t b_bytes() const { return columns * ceiling(steps, stretches) * row_step_bytes; }
    int64_t sums() const { return stretches == 1 ? 2 * block_floats : rows * columns; }
};

// What one thread packs into and sums in.
struct Scratch {
    Buffer<char> a, b;
    Buffer<float> sums;

    void reserve(const Cut& cut, bool packs_b) {
        a.resize(cut.a_bytes());
        sums.resize(cut.sums());
        if (packs_b) b.resize(cut.b_bytes());
    }
};

// One thread's part of a product.
class Worker {
public:
    Worker(const TileProduct& problem, Scratch& scratch, Part rows, Part columns)
        : p(problem),
          s(scratch),
          a{static_cast<const Bf16*>(p.a), p.lda, !p.transpose_a},
          b{static_cast<const Bf16*>(p.b), p.ldb, p.transpose_b},
          cut(p, rows.count, columns.count),
          streams(goes_past_cache(p)),
          all_rows(rows),
          all_columns(columns) {}

    void run() {
        Task task{0, 0, 0};
        while (true) {
            Task next = task;
            const bool more = step_on(next);
            carry_out(task, more ? &next : nullptr);
            if (!more) break;
            task = next;
        }
        finish_rows(0, block);
        if (streams) _mm_sfence();
    }

private:
    struct Task {
        int64_t row, column, stretch;  // offsets into the thread's part
    };

    const TileProduct& p;
    Scratch& s;
    const OuterView a, b;
    const Cut cut;
    const bool streams;
    const Part all_rows, all_columns;
    Ahead ahead;
    Finished finished{nullptr, 0, 0};
    int64_t blocks_done = 0;

    bool step_on(Task& task) const {
        if (++task.stretch < cut.stretches) return true;
        task.stretch = 0;
        if ((task.column += cut.columns) < all_columns.count) return true;
        task.column = 0;
        return (task.row += cut.rows) < all_rows.count;
    }

    int64_t first_step(const Task& task) const { return cut.steps * task.stretch / cut.stretches; }
    int64_t steps(const Task& task) const { return cut.steps * (task.stretch + 1) / cut.stretches - first_step(task); }
    int64_t depth(const Task& task) const { return smaller(steps(task) * tile_depth, p.k - first_step(task) * tile_depth); }
    Part rows(const Task& task) const { return {all_rows.first + task.row, smaller(cut.rows, all_rows.count - task.row)}; }
    Part columns(const Task& task) const { return {all_columns.first + task.column, smaller(cut.columns, all_columns.count - task.column)}; }

    void finish_rows(int64_t from, int64_t to) {
        if (finished.sums == nullptr) return;
        if (p.c_is_bf16) finish<true>(p, streams, finished, from, to);
        else finish<false>(p, streams, finished, from, to);
    }

    void carry_out(const Task& task, const Task* next) {
        pack<false>(a, rows(task).first, rows(task).count, first_step(task) * tile_depth, depth(task), s.a.data(), steps(task) * block_step_bytes);
        // What the next task packs comes near while this one multiplies.
        ahead = next == nullptr ? Ahead() : Ahead(a, rows(*next), first_step(*next) * tile_depth, depth(*next),
                                                 steps(task) * blocks_of(rows(task).count) * blocks_of(columns(task).count));
        int64_t column_bytes = cut.steps * block_step_bytes;
        const char* right;
        if (p.packed != nullptr) {
            right = p.packed + columns(task).first / block * column_bytes + first_step(task) * block_step_bytes;
        } else {
            column_bytes = steps(task) * block_step_bytes;
            pack<true>(b, columns(task).first, columns(task).count, first_step(task) * tile_depth, depth(task), s.b.data(), column_bytes);
            right = s.b.data();
        }
        float* sums = s.sums.data();
        for (int64_t column = 0; column < columns(task).count; column += block, right += column_bytes)
            for (int64_t row = 0; row < rows(task).count; row += block, sums += block_floats) multiply(task, row, column, right, sums);
    }

    // Multiplies one block; beside it the block before joins the result, and the result's rows and what is packed next are fetched.
    // Columns of B are left to the processor's own prefetching, which instructions of ours only disturb.
    void multiply(const Task& task, int64_t row, int64_t column, const char* right, float* sums) {
        const bool last = task.stretch == cut.stretches - 1;
        const int64_t count = steps(task), rows_here = rows(task).count, columns_here = columns(task).count, element = p.c_is_bf16 ? 2 : 4;
        if (cut.stretches == 1) sums = s.sums.data() + blocks_done++ % 2 * block_floats;
        const int64_t at_once = ceiling(block, count), row_of_a = rows(task).first + row, column_of_b = columns(task).first + column;
        const Finished done{last ? sums : nullptr, p.transposed ? column_of_b : row_of_a, p.transposed ? row_of_a : column_of_b};
        const int64_t tall = smaller(block, result_rows(p) - done.row);
        const char* result = static_cast<char*>(p.c) + (done.row * p.ldc + done.column) * element;
        const auto meanwhile = [&](int64_t step) {
            ahead.fetch();
            const int64_t from = step * at_once, to = smaller(block, from + at_once);
            if (last && !streams)
                for (int64_t i = from; i < smaller(to, tall); i++) {
                    __builtin_prefetch(result + i * p.ldc * element, 1, 3);
                    if (element == 4) __builtin_prefetch(result + i * p.ldc * element + 64, 1, 3);
                }
            if (from < block) finish_rows(from, to);
        };
        const char* left = s.a.data() + row / block * count * block_step_bytes;
        register_block(rows_here - row, columns_here - column, count, left, right, sums, task.stretch > 0, meanwhile);
        finished = done;
    }
};

// How many threads share the rows, and how many the columns: the fewest elements packed by all of them together.
int row_parts(const TileProduct& p, int threads) {
    int best = 1;
    int64_t least = INT64_MAX;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts != 0) continue;
        const int64_t rows = ceiling(blocks_of(p.m), parts), columns = ceiling(blocks_of(p.n), threads / parts);
        const int64_t cost = 64 * rows * columns + (p.transpose_a ? 2 : 1) * rows;
        if (cost < least) best = parts, least = cost;
    }
    return best;
}

// The same result as the transposed product of the transposed operands.
TileProduct transposed(const TileProduct& p) {
    TileProduct q = p;
    q.m = p.n, q.a = p.b, q.lda = p.ldb, q.transpose_a = !p.transpose_b;
    q.n = p.m, q.b = p.a, q.ldb = p.lda, q.transpose_b = !p.transpose_a;
    q.transposed = !p.transposed;
    return q;
}

}  // namespace

void product(const TileProduct& problem, int threads) {
    // What is packed beforehand is read again for every range of rows: the smaller operand should be that.
    TileProduct p = problem.packed == nullptr && problem.bias == nullptr && problem.n > problem.m ? transposed(problem) : problem;
    thread_local Buffer<char> packed;
    if (p.packed == nullptr && larger(p.m, p.n) > narrow) {
        packed.resize(packed_bytes(p.k, p.n));
        pack_weights(p.b, p.ldb, p.transpose_b, p.k, p.n, packed.data(), threads);
        p.packed = packed.data();
    }
    const int64_t blocks = blocks_of(p.m) * blocks_of(p.n);
    const int team = static_cast<int>(smaller(threads, blocks)), down = row_parts(p, team), across = team / down;
    Scratch* const scratch = scratch_of<Scratch>(team);
    const auto rows_of = [&](int index) { return part_of(p.m, down, index / across); };
    const auto columns_of = [&](int index) { return part_of(p.n, across, index % across); };
    // Here and not in the team, out of which a lack of memory could not be thrown.
    for (int index = 0; index < team; index++)
        if (rows_of(index).count > 0) scratch[index].reserve(Cut(p, rows_of(index).count, columns_of(index).count), p.packed == nullptr);
#pragma omp parallel for num_threads(team) schedule(static, 1)
    for (int index = 0; index < team; index++) {
        const Part rows = rows_of(index), columns = columns_of(index);
        if (rows.count == 0 || columns.count == 0) continue;
        const Tiles tiles;
        Worker(p, scratch[index], rows, columns).run();
    }
}

int64_t packed_bytes(int64_t k, int64_t n) { return blocks_of(n) * steps_of(k) * block_step_bytes; }

void pack_weights(const void* b, int64_t ldb, bool transpose_b, int64_t k, int64_t n, char* target, int threads) {
    const OuterView view{static_cast<const Bf16*>(b), ldb, transpose_b};
    const int64_t block_bytes = steps_of(k) * block_step_bytes;
    // Every thread reads along the rows of memory.
    const int64_t pieces = transpose_b ? blocks_of(n) : steps_of(k);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t i = 0; i < pieces; i++) {
        if (transpose_b) pack<true>(view, i * block, smaller(block, n - i * block), 0, k, target + i * block_bytes, block_bytes);
        else pack<true>(view, 0, n, i * tile_depth, smaller(tile_depth, k - i * tile_depth), target + i * block_step_bytes, block_bytes);
    }
}

}  // namespace uniscale::amx
