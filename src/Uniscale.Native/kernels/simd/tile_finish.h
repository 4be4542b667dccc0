// The way of a block's sums from the tiles to the result: bias, activation, what is added, rounding.
#pragma once

#include "gelu.h"
#include "tile_pack.h"
#include "tile_product.h"

namespace uniscale::amx {

// Sums of one block, [tile row][tile column] tiles, on their way to a row and column of the result.
struct Finished {
    float* sums;
    int64_t row, column;
};

inline int64_t result_rows(const TileProduct& p) { return p.transposed ? p.n : p.m; }
inline int64_t result_columns(const TileProduct& p) { return p.transposed ? p.m : p.n; }

inline bool goes_past_cache(const TileProduct& p) {
    const int64_t element = p.c_is_bf16 ? 2 : 4;
    return p.addend != p.c && p.m * p.n * element >= streamed_bytes && p.ldc * element % 64 == 0 && on_a_line(p.c) && on_a_line(p.pre);
}

inline void transpose_block(float* sums) {
    __m512i tiles[4][16];
    for (int tile = 0; tile < 4; tile++) {
        for (int i = 0; i < 16; i++) tiles[tile][i] = _mm512_load_si512(sums + tile * 256 + i * 16);
        transpose_words(tiles[tile]);
    }
    constexpr int place[] = {0, 2, 1, 3};
    for (int tile = 0; tile < 4; tile++)
        for (int i = 0; i < 16; i++) _mm512_store_si512(sums + place[tile] * 256 + i * 16, tiles[tile][i]);
}

// 32 neighbours in a row of the result.
struct Neighbours {
    Lanes left, right;
};

// Which of the 32 columns of a block exist, and how they are stored.
class Columns {
public:
    Columns(int64_t count, bool streams)
        : inside(first_lanes(count)), low(static_cast<__mmask16>(inside)), high(static_cast<__mmask16>(inside >> 16)), past_cache(streams && count >= block) {}

    Neighbours load(const float* x) const { return {_mm512_maskz_loadu_ps(low, x), _mm512_maskz_loadu_ps(high, x + 16)}; }
    Neighbours load(const Bf16* x) const { return {widen(_mm256_maskz_loadu_epi16(low, x)), widen(_mm256_maskz_loadu_epi16(high, x + 16))}; }

    void store(float* target, Neighbours values) const {
        if (past_cache) {
            _mm512_stream_ps(target, values.left);
            _mm512_stream_ps(target + 16, values.right);
        } else {
            _mm512_mask_storeu_ps(target, low, values.left);
            _mm512_mask_storeu_ps(target + 16, high, values.right);
        }
    }
    void store(Bf16* target, Neighbours values) const { store(target, halves(values.left, values.right)); }

    // As they are read again.
    Neighbours store_rounded(Bf16* target, Neighbours values) const {
        const __m512i bits = halves(values.left, values.right);
        store(target, bits);
        return {widen(_mm512_castsi512_si256(bits)), widen(_mm512_extracti64x4_epi64(bits, 1))};
    }

private:
    __mmask32 inside;
    __mmask16 low, high;
    bool past_cache;

    static Lanes widen(__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); }

    void store(Bf16* target, __m512i bits) const {
        if (past_cache) _mm512_stream_si512(reinterpret_cast<__m512i*>(target), bits);
        else _mm512_mask_storeu_epi16(target, inside, bits);
    }
};

template <class T, Activation activation>
void finish(const TileProduct& p, bool streams, const Finished& f, int64_t from, int64_t to) {
    if (p.transposed && from == 0) transpose_block(f.sums);
    const Columns columns(smaller(block, result_columns(p) - f.column), streams);
    Neighbours bias{};
    if (p.bias != nullptr) bias = columns.load(static_cast<const Bf16*>(p.bias) + f.column);
    for (int64_t i = from; i < smaller(to, result_rows(p) - f.row); i++) {
        const int64_t at = (f.row + i) * p.ldc + f.column;
        Neighbours values{load_lanes(f.sums + sums_at(i, 0)) + bias.left, load_lanes(f.sums + sums_at(i, 1)) + bias.right};
        if constexpr (activation == Activation::Gelu) {
            values = columns.store_rounded(static_cast<Bf16*>(p.pre) + at, values);
            values = {gelu(values.left), gelu(values.right)};
        } else if constexpr (activation == Activation::GeluSlope) {
            const Neighbours pre = columns.load(static_cast<const Bf16*>(p.pre) + at);
            values = {values.left * gelu_slope(pre.left), values.right * gelu_slope(pre.right)};
        }
        if (p.addend != nullptr) {
            const Neighbours added = columns.load(static_cast<const T*>(p.addend) + at);
            values = {values.left + added.left, values.right + added.right};
        }
        columns.store(static_cast<T*>(p.c) + at, values);
    }
}

// Rows [from, to) of a finished block join the result.
inline void finish(const TileProduct& p, bool streams, const Finished& f, int64_t from, int64_t to) {
    if (!p.c_is_bf16) return finish<float, Activation::None>(p, streams, f, from, to);
    switch (p.activation) {
        case Activation::None: return finish<Bf16, Activation::None>(p, streams, f, from, to);
        case Activation::Gelu: return finish<Bf16, Activation::Gelu>(p, streams, f, from, to);
        case Activation::GeluSlope: return finish<Bf16, Activation::GeluSlope>(p, streams, f, from, to);
    }
}

}  // namespace uniscale::amx
