// GEMM on vector registers, summed in fp32; see uniscale_matmul in kernels.h for what is computed. avx2 and avx512 multiply in fp32
// whatever the operands' type, avx512_bf16 multiplies pairs of bf16.
#pragma once

#include <cstdint>

#include "../kernels.h"

namespace uniscale {

struct GemmOperand {
    const void* data;
    int64_t stride;
    bool transposed;
    int type;

    int64_t row_stride() const { return transposed ? 1 : stride; }
    int64_t column_stride() const { return transposed ? stride : 1; }
};

struct Gemm {
    int64_t m, n, k;
    GemmOperand a, b;
    const void* packed;  // op(b) by pack_panels, or null
    void* c;
    int64_t ldc;
    int c_type;
    uniscale_epilogue epilogue;  // row sums are of a transposed a
};

// The sum of each element runs along k in stretches of a length that k and whether op(b) is packed determine: neither the number of threads nor
// what else is multiplied changes a bit.
#define UNISCALE_GEMM                                                                        \
    void gemm(const Gemm& problem, int threads);                                             \
    /* Bytes of op(b) [k, n] in panels, and op(b) brought there by `threads` threads. */     \
    int64_t panels_bytes(int64_t k, int64_t n);                                              \
    void pack_panels(const GemmOperand& b, int64_t k, int64_t n, void* target, int threads);

namespace avx2 {
UNISCALE_GEMM
}
namespace avx512 {
UNISCALE_GEMM
}
namespace avx512_bf16 {  // both operands are bf16
UNISCALE_GEMM
}

}  // namespace uniscale
