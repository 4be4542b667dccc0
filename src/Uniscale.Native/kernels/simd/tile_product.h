// Matrix products of bf16 on AMX tiles; see uniscale_matmul in kernels.h for what is computed.
#pragma once

#include <cstdint>

namespace uniscale::amx {

struct TileProduct {
    int64_t m, n, k;
    const void* a;
    int64_t lda;
    bool transpose_a;
    const void* b;
    int64_t ldb;
    bool transpose_b;
    const char* packed;  // op(b) by pack_weights, or null
    void* c;
    int64_t ldc;
    bool c_is_bf16, accumulate;
    const void* bias;          // bf16, or null
    bool transposed = false;  // element (i, j) of the product lies at row j, column i of c; without bias
};

// The sum of each element runs along k in an order that depends on k alone: the number of threads does not change a bit.
void product(const TileProduct& problem, int threads);

// Bytes of op(b) [k, n] in tiles, and op(b) brought there by `threads` threads. target: on a cache line.
int64_t packed_bytes(int64_t k, int64_t n);
void pack_weights(const void* b, int64_t ldb, bool transpose_b, int64_t k, int64_t n, char* target, int threads);

}  // namespace uniscale::amx
