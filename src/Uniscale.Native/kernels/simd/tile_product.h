// GEMM of bf16 on AMX tiles; see uniscale_matmul in kernels.h for what is computed.
#pragma once

#include <cstdint>

namespace uniscale::amx {

enum class Activation {
    None,
    Gelu,       // c = gelu(product + bias); what it is taken of goes to `pre`
    GeluSlope,  // c = product · gelu'(pre)
};

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
    bool c_is_bf16;
    const void* addend;  // added to the product, of c's type and strides; c itself, or null
    const void* bias;    // bf16, or null
    Activation activation = Activation::None;
    void* pre = nullptr;  // of c's strides; it and c are bf16
    // Sums over k of the rows of op(a), which must not be contiguous along k, or null; or of the columns of op(b). add_sums: added to.
    float *a_sums = nullptr, *b_sums = nullptr;
    bool add_sums = false;
    bool transposed = false;  // element (i, j) of the product lies at row j, column i of c; without bias
};

// The sum of each element runs along k in an order that depends on k alone: the number of threads does not change a bit.
void product(const TileProduct& problem, int threads);

// Bytes of op(b) [k, n] in tiles, and op(b) brought there by `threads` threads. target: on a cache line.
int64_t packed_bytes(int64_t k, int64_t n);
void pack_weights(const void* b, int64_t ldb, bool transpose_b, int64_t k, int64_t n, char* target, int threads);

}  // namespace uniscale::amx
