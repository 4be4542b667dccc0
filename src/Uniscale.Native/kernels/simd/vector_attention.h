// What attention on vector registers shares between forward and backward. Scores lie keys down and queries across, so that whatever is said
// of a query (its maximum, its sum, what it sees) is said of a lane.
#pragma once

#include "attention_items.h"
#include "mask.h"
#include "product.h"

namespace uniscale::UNISCALE_SIMD {

constexpr int64_t query_block = 64;  // queries whose scores are computed at once
constexpr int64_t key_tile = 256;    // keys whose scores go through a softmax together
constexpr int64_t cell = 16;         // keys that are looked at together for what a register of queries sees of them

#ifdef __AVX512BF16__
using HalfOperand = Bf16Operand;
#else
using HalfOperand = Fp32Operand;
#endif

// Rows of a matrix as the left operand of products. Where the types agree the rows are used where they lie; else they are converted.
template <class Operand, class T>
class LeftRows {
public:
    void take(const T* source, int64_t source_stride, int64_t rows, int64_t dim) {
        if constexpr (__is_same(T, typename Operand::Element)) {
            data = source;
            stride = source_stride;
        } else {
            copy.resize(rows * dim);
            for (int64_t row = 0; row < rows; row++)
                for_row(dim, [&](int64_t i, int64_t, auto part) { part.store(copy.data() + row * dim + i, part.load(source + row * source_stride + i)); });
            data = copy.data();
            stride = dim;
        }
    }

    // Rows [first, ...) as A[rows, dim].
    Left<Operand> from(int64_t first) const { return {data + first * stride, stride}; }
    const typename Operand::Element* row(int64_t index) const { return data + index * stride; }
    int64_t row_stride() const { return stride; }

private:
    Buffer<typename Operand::Element> copy;
    const typename Operand::Element* data = nullptr;
    int64_t stride = 0;
};

// The same rows, transposed: A[dim, rows]. Pairs of rows are interleaved, the last of an odd number with zeros.
template <class Operand>
class LeftColumns {
public:
    template <class T>
    void take(const LeftRows<Operand, T>& rows, int64_t count, int64_t dim) {
        if constexpr (Operand::pair == 1) {
            columns = {rows.row(0), 1, rows.row_stride()};
        } else {
            pairs.resize(round_up(count, 2) * dim);
            for (int64_t row = 0; row < count; row += 2)
                interleave(rows.row(row), row + 1 < count ? rows.row(row + 1) : nullptr, dim, reinterpret_cast<uint32_t*>(pairs.data() + row * dim));
            columns = {pairs.data(), 2, 2 * dim};
        }
    }

    Left<Operand> all() const { return columns; }

private:
    Buffer<typename Operand::Element> pairs;
    Left<Operand> columns{nullptr, 0};
};

inline Words lane_numbers() {
    Words numbers;
    for (int lane = 0; lane < lanes; lane++) numbers[lane] = static_cast<uint32_t>(lane);
    return numbers;
}

// The lanes from `first` on, before `end`: all bits set.
inline Words lanes_between(int64_t first, int64_t end) {
    const auto low = static_cast<uint32_t>(smaller(larger(first, 0), lanes)), high = static_cast<uint32_t>(smaller(larger(end, 0), lanes));
    const Words numbers = lane_numbers();
    return reinterpret_cast<Words>(numbers >= low) & reinterpret_cast<Words>(numbers < high);
}

// Of a register of queries from `from`, those before `end` that see this key: all bits set.
inline Words queries_of(const Mask& mask, int64_t from, int64_t end, int64_t key) {
    Words seen = lanes_between(key - mask.diagonal - from, end - from);
    if (mask.q_documents == nullptr) return seen;
    for (int64_t lane = 0; lane < smaller(lanes, end - from); lane++)
        if (mask.q_documents[from + lane] != mask.k_documents[key]) seen[lane] = 0;
    return seen;
}

inline Lanes where(Words chosen, Lanes values, Lanes others) {
    return reinterpret_cast<Lanes>((reinterpret_cast<Words>(values) & chosen) | (reinterpret_cast<Words>(others) & ~chosen));
}

// A step of an online softmax: the maximum from now on, what is subtracted from scores, and by how much earlier sums shrink. A maximum that grows
// little is left: weights up to 2^8 are as exact, and the sums need not shrink.
struct SoftmaxStep {
    Lanes top, shift, shrink;

    SoftmaxStep(Lanes before, Lanes highest) {
        const Words grown = reinterpret_cast<Words>(highest > before + 8.0f) | reinterpret_cast<Words>(highest != highest);
        top = where(grown, highest, before);
        shift = where(reinterpret_cast<Words>(top != all(-__builtin_inff())), top, Lanes{});
        shrink = where(grown, power_of_two(before - top), all(1.0f));
    }
};

// Causal attention leaves out keys that lie right of all diagonals. Calls body(from, end, height) for groups of the `wide` queries from `query`,
// with the number of the keys from `key` that reach left of a group's last diagonal: for all queries at once where the groups' heights agree.
template <class Body>
inline void for_heights(const Mask& mask, int64_t query, int64_t wide, int64_t key, int64_t keys, Body&& body) {
    constexpr int64_t group = 2 * lanes;
    const auto height = [&](int64_t end) { return larger(0, smaller(keys, query + end + mask.diagonal - key)); };
    if (height(smaller(group, wide)) == height(wide)) return body(0, wide, height(wide));
    for (int64_t from = 0; from < wide; from += group) {
        const int64_t end = smaller(from + group, wide);
        body(from, end, height(end));
    }
}

// What a register of queries from `from` sees of `keys` keys from `key`, cell by cell.
inline void look(const Mask& mask, Visibility of_all, int64_t from, int64_t queries, int64_t key, int64_t keys, Visibility* cells) {
    for (int64_t row = 0, c = 0; row < keys; row += cell, c++)
        cells[c] = of_all == Visibility::All ? of_all : mask.of(from, queries, key + row, smaller(cell, keys - row));
}

// Two neighbouring keys' values of a register of queries, as one register of a packed operand; or one key's.
inline void store_step(float* target, const Lanes (&values)[1]) { store_lanes(target, values[0]); }
#ifdef __AVX512BF16__
inline __m512i halves(const Lanes (&values)[2]) { return (__m512i)_mm512_cvtne2ps_pbh((__m512)values[1], (__m512)values[0]); }

inline void store_step(Bf16* target, const Lanes (&values)[2]) {
    const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i places = low + (low << 16) + _mm512_set1_epi32(16 << 16);
    _mm512_storeu_si512(target, _mm512_mask_permutexvar_epi16(low, ~0u, places, halves(values)));
}
#endif

// Sums that lie dims down and queries across become rows of queries, each times its factor.
template <class T>
void store_transposed(const float* sums, int64_t sums_stride, Lanes factors, int64_t queries, int64_t dim, T* out, int64_t stride) {
    for (int64_t first = 0; first < dim; first += lanes) {
        Words rows[lanes];
        for (int64_t i = 0; i < lanes; i++)
            rows[i] = first + i < dim ? reinterpret_cast<Words>(load_lanes(sums + (first + i) * sums_stride) * factors) : Words{};
        transpose_words(reinterpret_cast<WordRegister*>(rows));
        for (int64_t i = 0; i < smaller(lanes, queries); i++) {
            if (dim - first >= lanes) Whole{}.store(out + i * stride + first, reinterpret_cast<Lanes>(rows[i]));
            else Part{dim - first}.store(out + i * stride + first, reinterpret_cast<Lanes>(rows[i]));
        }
    }
}

}  // namespace uniscale::UNISCALE_SIMD
