// GEMM on vector registers, multiplied and summed in fp32 whatever the operands' type; see uniscale_matmul in kernels.h for
// what is computed.
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
    const float* packed;  // op(b) by pack_panels, or null
    void* c;
    int64_t ldc;
    int c_type;
    uniscale_epilogue epilogue;  // row sums are not taken here
};

// The sum of each element runs along k in one chain: neither the number of threads nor what else is multiplied changes a bit.
#define UNISCALE_GEMM                                                                        \
    void gemm(const Gemm& problem, int threads);                                             \
    /* Elements of op(b) [k, n] in panels, and op(b) brought there by `threads` threads. */  \
    int64_t panels_size(int64_t k, int64_t n);                                               \
    void pack_panels(const GemmOperand& b, int64_t k, int64_t n, float* target, int threads);

namespace avx2 {
UNISCALE_GEMM
}
namespace avx512 {
UNISCALE_GEMM
}

}  // namespace uniscale
