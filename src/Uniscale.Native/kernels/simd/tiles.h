// The AMX tile registers: eight of 16 rows × 64 bytes. A product step multiplies a tile of A (16 rows × 32 bf16 along k) with a
// tile of B (16 pairs along k × 16 columns) into a tile of C (16 × 16 fp32). All tiles here lie contiguously in memory, 1 KiB each.
#pragma once

#include <cstdint>

namespace uniscale::amx {

constexpr int64_t tile_rows = 16, tile_depth = 32, tile_bytes = 1024;
constexpr int64_t block = 2 * tile_rows;           // rows and columns of a register block: 2 × 2 tiles of C
constexpr int64_t block_step_bytes = 2 * tile_bytes;  // one step along k of a block of A or of B
constexpr int64_t block_floats = block * block;

// Gives the calling thread's part of a kernel the tile registers, all of full size, and frees them at its end: other code of the
// thread finds none in use.
class Tiles {
public:
    Tiles() {
        struct alignas(64) {
            uint8_t palette = 1, start_row = 0, reserved[14] = {};
            uint16_t columns_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
        } configuration;
        static_assert(sizeof configuration == 64);
        __asm__ volatile("ldtilecfg %0" : : "m"(configuration));
    }
    ~Tiles() { __asm__ volatile("tilerelease"); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};

// The compiler's own intrinsics do not say that a load reads memory, and stores before it may sink past it; these do.
template <int tile>
inline void tile_load(const void* memory, int64_t stride_bytes = 64) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(memory), "r"(stride_bytes), "i"(tile) : "memory");
}

template <int tile>
inline void tile_store(void* memory, int64_t stride_bytes = 64) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(memory), "r"(stride_bytes), "i"(tile) : "memory");
}

template <int tile>
inline void tile_zero() {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(tile));
}

template <int sum, int left, int right>
inline void tile_multiply_add() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(left), "i"(right));
}

struct Nothing {
    void operator()(int64_t) const {}
};

// sums[rows × columns tiles, in blocks of two columns] (+)= a · b over `steps` of 32 along k; a and b step by block_step_bytes.
// meanwhile(step) runs beside the multiplications, e.g. to fetch what comes next.
template <int rows, int columns, class Meanwhile = Nothing>
inline void register_block(int64_t steps, const char* a, const char* b, float* sums, bool add, Meanwhile meanwhile = {}) {
    constexpr int64_t tile_floats = tile_bytes / 4;
    if (add) {
        tile_load<0>(sums);
        if constexpr (columns == 2) tile_load<1>(sums + tile_floats);
        if constexpr (rows == 2) tile_load<2>(sums + 2 * tile_floats);
        if constexpr (rows == 2 && columns == 2) tile_load<3>(sums + 3 * tile_floats);
    } else {
        tile_zero<0>();
        tile_zero<1>();
        tile_zero<2>();
        tile_zero<3>();
    }
    for (int64_t step = 0; step < steps; step++, a += block_step_bytes, b += block_step_bytes) {
        tile_load<6>(b);
        tile_load<4>(a);
        tile_multiply_add<0, 4, 6>();
        if constexpr (rows == 2) {
            tile_load<5>(a + tile_bytes);
            tile_multiply_add<2, 5, 6>();
        }
        if constexpr (columns == 2) {
            tile_load<7>(b + tile_bytes);
            tile_multiply_add<1, 4, 7>();
        }
        if constexpr (rows == 2 && columns == 2) tile_multiply_add<3, 5, 7>();
        meanwhile(step);
    }
    tile_store<0>(sums);
    if constexpr (columns == 2) tile_store<1>(sums + tile_floats);
    if constexpr (rows == 2) tile_store<2>(sums + 2 * tile_floats);
    if constexpr (rows == 2 && columns == 2) tile_store<3>(sums + 3 * tile_floats);
}

// The same for a block that uses only its first `rows` rows and `columns` columns; the rest of `sums` is left as it is.
template <class Meanwhile = Nothing>
inline void register_block(int64_t rows, int64_t columns, int64_t steps, const char* a, const char* b, float* sums, bool add,
                           Meanwhile meanwhile = {}) {
    if (rows > tile_rows) {
        if (columns > tile_rows) register_block<2, 2>(steps, a, b, sums, add, meanwhile);
        else register_block<2, 1>(steps, a, b, sums, add, meanwhile);
    } else {
        if (columns > tile_rows) register_block<1, 2>(steps, a, b, sums, add, meanwhile);
        else register_block<1, 1>(steps, a, b, sums, add, meanwhile);
    }
}

}  // namespace uniscale::amx
