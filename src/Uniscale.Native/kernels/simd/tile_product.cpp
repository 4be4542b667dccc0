// Blocks of the result are summed in registers over a stretch of k whose operands lie packed in the second-level cache
// (Goto and van de Geijn, Anatomy of High-Performance Matrix Multiplication, 2008; the registers here are tiles).
#include "tile_product.h"

#include <omp.h>

#include "parts.h"
#include "team_scratch.h"
#include "tile_finish.h"
#include "tile_pack.h"

namespace uniscale::amx {
namespace {

// What a thread works on at a time, in its second-level cache: a range of rows of A, packed, of at most this size beside the
// columns of B that pass by. Longer k is cut into stretches, whose sums then lie there as well.
constexpr int64_t range_bytes = 1 << 20, most_rows = 512, most_steps = 64;
constexpr int64_t range_bytes_beside_sums = 768 << 10, most_sums = 192 << 10, steps_of_stretch = 48;
// A result of at most this many rows and columns: both operands are packed by every thread, a short stretch at a time, into the cache.
constexpr int64_t narrow = 512, narrow_steps = 16;
constexpr int64_t row_step_bytes = 2 * tile_depth;

// The size of equal ranges of at most `most` that cover count, in whole blocks.
int64_t range_of(int64_t count, int64_t most) {
    const int64_t whole = larger(block, most / block * block);
    return blocks_of(ceiling(count, larger(1, ceiling(count, whole)))) * block;
}

// The lines of memory that a part of an operand lies in, to be fetched into the second-level cache within so many steps.
class Ahead {
public:
    Ahead() = default;
    Ahead(const OuterView& x, Interval outer, int64_t k, int64_t depth, int64_t steps)
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

// How a GEMM is blocked: stretches of k, ranges of rows and of columns.
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

// One thread's part of a GEMM.
class Worker {
public:
    Worker(const TileProduct& problem, Scratch& scratch, Interval rows, Interval columns)
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
    const Interval all_rows, all_columns;
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
    Interval rows(const Task& task) const { return {all_rows.first + task.row, smaller(cut.rows, all_rows.count - task.row)}; }
    Interval columns(const Task& task) const { return {all_columns.first + task.column, smaller(cut.columns, all_columns.count - task.column)}; }

    void finish_rows(int64_t from, int64_t to) {
        if (finished.sums == nullptr) return;
        finish(p, streams, finished, from, to);
    }

    // Where a part of an operand is summed as it is packed: by the one thread and task that meets it first, stretch after stretch.
    float* sums_of(float* all, Interval part, int64_t stretch) const {
        if (all == nullptr) return nullptr;
        if (stretch == 0 && !p.add_sums) std::memset(all + part.first, 0, static_cast<size_t>(part.count) * sizeof(float));
        return all + part.first;
    }

    void carry_out(const Task& task, const Task* next) {
        pack<false>(a, rows(task).first, rows(task).count, first_step(task) * tile_depth, depth(task), s.a.data(), steps(task) * block_step_bytes,
                    columns(task).first == 0 ? sums_of(p.a_sums, rows(task), task.stretch) : nullptr);
        // What the next task packs comes near while this one multiplies.
        ahead = next == nullptr ? Ahead() : Ahead(a, rows(*next), first_step(*next) * tile_depth, depth(*next),
                                                 steps(task) * blocks_of(rows(task).count) * blocks_of(columns(task).count));
        int64_t column_bytes = cut.steps * block_step_bytes;
        const char* right;
        if (p.packed != nullptr) {
            right = p.packed + columns(task).first / block * column_bytes + first_step(task) * block_step_bytes;
        } else {
            column_bytes = steps(task) * block_step_bytes;
            pack<true>(b, columns(task).first, columns(task).count, first_step(task) * tile_depth, depth(task), s.b.data(), column_bytes,
                       rows(task).first == 0 ? sums_of(p.b_sums, columns(task), task.stretch) : nullptr);
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
        const int64_t result = (done.row * p.ldc + done.column) * element;
        const void* const read[] = {streams ? p.addend : p.c, p.activation == Activation::GeluSlope ? p.pre : nullptr};
        const auto meanwhile = [&](int64_t step) {
            ahead.fetch();
            const int64_t from = step * at_once, to = smaller(block, from + at_once);
            for (const void* matrix : read)
                for (int64_t i = from; last && matrix != nullptr && i < smaller(to, tall); i++) {
                    const char* row = static_cast<const char*>(matrix) + result + i * p.ldc * element;
                    __builtin_prefetch(row, 1, 3);
                    if (element == 4) __builtin_prefetch(row + 64, 1, 3);
                }
            if (from < block) finish_rows(from, to);
        };
        const char* left = s.a.data() + row / block * count * block_step_bytes;
        register_block(rows_here - row, columns_here - column, count, left, right, sums, task.stretch > 0, meanwhile);
        finished = done;
    }
};

// How many threads share the rows: the fewest elements packed by all of them together.
int threads_down(const TileProduct& p, int threads) {
    return row_parts(blocks_of(p.m), blocks_of(p.n), threads,
                     [&](int64_t rows, int64_t columns) { return 64 * rows * columns + (p.transpose_a ? 2 : 1) * rows; });
}

// op(b) brought into tiles, `at_once` steps along k as one piece of work; sums[piece][n], where not null, of the steps of each.
template <bool streams>
void pack_pieces(const OuterView& b, int64_t k, int64_t n, char* target, int threads, int64_t at_once, float* sums) {
    const int64_t block_bytes = steps_of(k) * block_step_bytes, deep = at_once * tile_depth;
    // Every thread reads along the rows of memory.
    const int64_t pieces = b.k_contiguous ? blocks_of(n) : ceiling(k, deep);
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static) nowait
        for (int64_t i = 0; i < pieces; i++) {
            if (b.k_contiguous) pack<true, streams>(b, i * block, smaller(block, n - i * block), 0, k, target + i * block_bytes, block_bytes);
            else
                pack<true, streams>(b, 0, n, i * deep, smaller(deep, k - i * deep), target + i * at_once * block_step_bytes, block_bytes,
                                    sums == nullptr ? nullptr : sums + i * n);
        }
        if constexpr (streams) _mm_sfence();
    }
}

void pack_columns(const OuterView& b, int64_t k, int64_t n, char* target, int threads, int64_t at_once, float* sums) {
    if (packed_bytes(k, n) >= streamed_bytes) pack_pieces<true>(b, k, n, target, threads, at_once, sums);
    else pack_pieces<false>(b, k, n, target, threads, at_once, sums);
}

// The same for a GEMM that may want the sums of b's columns. Threads share k, so pieces of it are summed apart and then added up in order.
void pack_columns(const TileProduct& p, char* target, int threads) {
    constexpr int64_t steps_of_sum = 4;
    const OuterView b{static_cast<const Bf16*>(p.b), p.ldb, p.transpose_b};
    if (p.b_sums == nullptr) return pack_columns(b, p.k, p.n, target, threads, 1, nullptr);
    thread_local Buffer<float> parts;
    const int64_t pieces = ceiling(p.k, steps_of_sum * tile_depth);
    parts.resize(pieces * p.n);
    parts.fill(0.0f);
    pack_columns(b, p.k, p.n, target, threads, steps_of_sum, parts.data());
    const float* part = parts.data();
    for (int64_t piece = 0; piece < pieces; piece++, part += p.n)
        for (int64_t i = 0; i < p.n; i++) p.b_sums[i] = part[i] + (piece > 0 || p.add_sums ? p.b_sums[i] : 0.0f);
}

// The same result as the transposed GEMM of the transposed operands.
TileProduct transposed(const TileProduct& p) {
    TileProduct q = p;
    q.m = p.n, q.a = p.b, q.lda = p.ldb, q.transpose_a = !p.transpose_b;
    q.n = p.m, q.b = p.a, q.ldb = p.lda, q.transpose_b = !p.transpose_a;
    q.a_sums = p.b_sums, q.b_sums = p.a_sums;
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
        pack_columns(p, packed.data(), threads);
        p.packed = packed.data();
    }
    const int64_t blocks = blocks_of(p.m) * blocks_of(p.n);
    const int team = static_cast<int>(smaller(threads, blocks)), down = threads_down(p, team), across = team / down;
    Scratch* const scratch = scratch_of<Scratch>(team);
    const auto rows_of = [&](int index) { return part_of(p.m, block, down, index / across); };
    const auto columns_of = [&](int index) { return part_of(p.n, block, across, index % across); };
    // Here and not in the team, out of which a lack of memory could not be thrown.
    for (int index = 0; index < team; index++)
        if (rows_of(index).count > 0) scratch[index].reserve(Cut(p, rows_of(index).count, columns_of(index).count), p.packed == nullptr);
#pragma omp parallel for num_threads(team) schedule(static, 1)
    for (int index = 0; index < team; index++) {
        const Interval rows = rows_of(index), columns = columns_of(index);
        if (rows.count == 0 || columns.count == 0) continue;
        const Tiles tiles;
        Worker(p, scratch[index], rows, columns).run();
    }
}

int64_t packed_bytes(int64_t k, int64_t n) { return blocks_of(n) * steps_of(k) * block_step_bytes; }

void pack_weights(const void* b, int64_t ldb, bool transpose_b, int64_t k, int64_t n, char* target, int threads) {
    pack_columns({static_cast<const Bf16*>(b), ldb, transpose_b}, k, n, target, threads, 1, nullptr);
}

}  // namespace uniscale::amx
