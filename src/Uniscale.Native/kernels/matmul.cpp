// GEMM, each by the fastest code that this processor has for it: bf16 on AMX tiles by our own kernel; where the processor multiplies pairs
// of it, by our own kernel or by oneDNN; all else, and what oneDNN lacks, by our own kernel in fp32 on vector registers.
#include <omp.h>

#include <cstring>
#include <stdexcept>

#include "error.h"
#include "isa.h"
#include "kernels.h"
#include "onednn_product.h"
#include "packed_weights.h"
#include "simd/gemm.h"
#include "simd/tile_product.h"

namespace uniscale {
namespace {

using Key = PackedWeights::Key;

void multiply_on_tiles(const Gemm& g, PackedWeights* weights) {
    const auto& e = g.epilogue;
    amx::TileProduct p{g.m, g.n, g.k, g.a.data, g.a.stride, g.a.transposed, g.b.data, g.b.stride, g.b.transposed, nullptr, g.c, g.ldc, g.c_type == 1, e.addend, e.bias};
    p.activation = static_cast<amx::Activation>(e.activation);
    p.pre = e.pre;
    p.a_sums = e.row_sums;
    p.add_sums = e.add_row_sums != 0;
    const int threads = omp_get_max_threads();
    if (weights != nullptr)
        p.packed = static_cast<const char*>(weights->take(Key{Key::Order::Tiles, p.k, p.n, p.ldb, p.transpose_b}, amx::packed_bytes(p.k, p.n), [&](void* tiles) {
            amx::pack_weights(p.b, p.ldb, p.transpose_b, p.k, p.n, static_cast<char*>(tiles), threads);
        }));
    amx::product(p, threads);
}

void check(int result) {
    if (result != 0) throw std::runtime_error(uniscale_kernels_error());
}

void sum_rows(const Gemm& g) {
    const auto& e = g.epilogue;
    if (e.row_sums != nullptr) check(uniscale_column_sums(g.a.data, e.row_sums, g.k, g.m, e.add_row_sums, g.a.type));
}

// Our own GEMM on one instruction set.
struct VectorGemm {
    decltype(&avx2::gemm) multiply;
    decltype(&avx2::panels_bytes) panels_bytes;
    decltype(&avx2::pack_panels) pack_panels;
    Key::Order order;
};

VectorGemm in_fp32() {
    if (isa() >= Isa::Avx512) return {avx512::gemm, avx512::panels_bytes, avx512::pack_panels, Key::Order::Panels};
    if (isa() >= Isa::Avx2) return {avx2::gemm, avx2::panels_bytes, avx2::pack_panels, Key::Order::Panels};
    throw std::runtime_error("the CPU kernels need AVX2; this processor lacks it");
}

VectorGemm in_pairs() { return {avx512_bf16::gemm, avx512_bf16::panels_bytes, avx512_bf16::pack_panels, Key::Order::PairPanels}; }

// Of our own GEMMs, whose sums along k do not depend on m, the one for operands of this type.
VectorGemm for_any_batch(bool pairs) { return pairs && isa() >= Isa::Avx512Bf16 ? in_pairs() : in_fp32(); }

void multiply_on_vectors(Gemm g, PackedWeights* weights, const VectorGemm& vectors) {
    const int threads = omp_get_max_threads();
    if (weights != nullptr)
        g.packed = weights->take(Key{vectors.order, g.k, g.n, g.b.stride, g.b.transposed}, vectors.panels_bytes(g.k, g.n),
                                 [&](void* panels) { vectors.pack_panels(g.b, g.k, g.n, panels, threads); });
    vectors.multiply(g, threads);
}

void copy_rows(void* target, const void* source, int64_t rows, int64_t stride_bytes, int64_t row_bytes) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++)
        std::memcpy(static_cast<char*>(target) + row * stride_bytes, static_cast<const char*>(source) + row * stride_bytes, static_cast<size_t>(row_bytes));
}

// Of two operands of bf16. The epilogue in passes of their own, but for the bias and what lies in c already. False where oneDNN has no such GEMM.
bool multiply_on_onednn(const Gemm& g, PackedWeights* weights) {
    const auto& e = g.epilogue;
    auto* product = onednn::product_of({g.m, g.n, g.k, g.a.stride, g.b.stride, g.ldc, g.c_type, g.a.transposed, g.b.transposed,
                                        e.addend != nullptr, e.bias != nullptr, weights != nullptr, omp_get_max_threads()});
    if (product == nullptr) return false;
    const int64_t element = g.c_type == 1 ? 2 : 4;
    if (e.addend != nullptr && e.addend != g.c) copy_rows(g.c, e.addend, g.m, g.ldc * element, g.n * element);
    auto* packed = weights == nullptr ? nullptr : &weights->take(g.b.data, product->plain_weights, product->packed_weights);
    product->multiply(g.a.data, g.b.data, e.activation == 1 ? e.pre : g.c, e.bias, packed);
    if (e.activation == 1) check(uniscale_gelu_forward(e.pre, g.c, g.m * g.n, g.c_type));
    if (e.activation == 2) check(uniscale_gelu_backward(g.c, e.pre, g.c, g.m * g.n, g.c_type));
    sum_rows(g);
    return true;
}

// Pairs of bf16 are oneDNN's but where that is slower by measurement (docs/decisions/0300): weight gradients, of which neither operand lies
// packed, unless what our kernel packs is the larger one.
bool better_in_pairs(const Gemm& g, const PackedWeights* weights) {
    return isa() == Isa::Avx512Bf16 && weights == nullptr && g.epilogue.activation == 0 && g.n <= g.m;
}

void refuse_what_does_not_fit(const Gemm& g) {
    const auto& e = g.epilogue;
    if (g.a.stride < (g.a.transposed ? g.m : g.k) || g.b.stride < (g.b.transposed ? g.k : g.n) || g.ldc < g.n)
        throw std::invalid_argument("a matrix of the product has a row stride shorter than its rows");
    if (e.activation != 0 && (e.pre == nullptr || e.addend != nullptr || g.ldc != g.n))
        throw std::invalid_argument("a product with an activation has a dense result, room for what it is taken of, and nothing added");
    if (e.row_sums != nullptr && (!g.a.transposed || g.a.stride != g.m)) throw std::invalid_argument("rows are summed of dense transposed operands only");
}

}  // namespace
}  // namespace uniscale

using uniscale::PackedWeights;

int uniscale_matmul(int64_t m, int64_t n, int64_t k, const void* a, int a_type, int64_t lda, int transpose_a, const void* b, int b_type,
                    int64_t ldb, int transpose_b, void* c, int c_type, int64_t ldc, const uniscale_epilogue* epilogue, void* weights) {
    return uniscale::guarded([&] {
        if (m == 0 || n == 0) return;
        const uniscale::Gemm g{m, n, k, {a, lda, transpose_a != 0, a_type}, {b, ldb, transpose_b != 0, b_type}, nullptr, c, ldc, c_type,
                               epilogue == nullptr ? uniscale_epilogue{} : *epilogue};
        uniscale::refuse_what_does_not_fit(g);
        auto* packed = static_cast<PackedWeights*>(weights);
        using uniscale::Isa, uniscale::isa;
        const bool pairs = a_type == 1 && b_type == 1, on_tiles = pairs && (g.epilogue.activation == 0 || c_type == 1);
        // Newer oneDNN returns without writing a result where k is 0, and it chooses its code, and so the order of its sums, by m.
        if (k == 0 || g.epilogue.batch_invariant) uniscale::multiply_on_vectors(g, packed, uniscale::for_any_batch(pairs && k > 0));
        else if (on_tiles && isa() >= Isa::Amx) uniscale::multiply_on_tiles(g, packed);
        else if (pairs && uniscale::better_in_pairs(g, packed)) uniscale::multiply_on_vectors(g, packed, uniscale::in_pairs());
        else if (!pairs || !uniscale::multiply_on_onednn(g, packed)) uniscale::multiply_on_vectors(g, packed, uniscale::in_fp32());
    });
}

void* uniscale_weights_create() { return new PackedWeights(); }

void uniscale_weights_invalidate(void* weights) { static_cast<PackedWeights*>(weights)->invalidate(); }

int64_t uniscale_weights_bytes(void* weights) { return static_cast<PackedWeights*>(weights)->bytes(); }

void uniscale_weights_destroy(void* weights) { delete static_cast<PackedWeights*>(weights); }
