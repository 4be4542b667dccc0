// GEMM, each by the fastest code that this processor has for it: bf16 on AMX tiles by our own kernel; fp32, and bf16 where the
// processor multiplies pairs of it, by oneDNN; all else, and what oneDNN lacks, by our own kernel on vector registers.
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

void multiply_on_vectors(Gemm g, PackedWeights* weights) {
    const bool wide = isa() >= Isa::Avx512;
    if (isa() < Isa::Avx2) throw std::runtime_error("the CPU kernels need AVX2; this processor lacks it");
    const int threads = omp_get_max_threads();
    if (weights != nullptr) {
        const int64_t size = wide ? avx512::panels_size(g.k, g.n) : avx2::panels_size(g.k, g.n);
        g.packed = static_cast<const float*>(weights->take(
            Key{Key::Order::Panels, g.k, g.n, g.b.stride, g.b.transposed}, size * static_cast<int64_t>(sizeof(float)), [&](void* panels) {
                (wide ? avx512::pack_panels : avx2::pack_panels)(g.b, g.k, g.n, static_cast<float*>(panels), threads);
            }));
    }
    (wide ? avx512::gemm : avx2::gemm)(g, threads);
    sum_rows(g);
}

void copy_rows(void* target, const void* source, int64_t rows, int64_t stride_bytes, int64_t row_bytes) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++)
        std::memcpy(static_cast<char*>(target) + row * stride_bytes, static_cast<const char*>(source) + row * stride_bytes, static_cast<size_t>(row_bytes));
}

// The epilogue in passes of their own, but for the bias and what lies in c already. False where oneDNN has no such GEMM.
bool multiply_on_onednn(const Gemm& g, PackedWeights* weights) {
    const auto& e = g.epilogue;
    auto* product = onednn::product_of({g.m, g.n, g.k, g.a.stride, g.b.stride, g.ldc, g.a.type, g.b.type, g.c_type, g.a.transposed, g.b.transposed,
                                        e.addend != nullptr, e.bias != nullptr ? g.b.type + 1 : 0, weights != nullptr, omp_get_max_threads()});
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
        const bool on_tiles = a_type == 1 && b_type == 1 && (g.epilogue.activation == 0 || c_type == 1);
        if (k == 0) uniscale::multiply_on_vectors(g, packed);  // oneDNN's newer releases return without writing a result
        else if (g.epilogue.batch_invariant) uniscale::multiply_on_vectors(g, packed);  // oneDNN chooses its code, and so the order of its sums, by m
        else if (on_tiles && uniscale::isa() >= uniscale::Isa::Amx) uniscale::multiply_on_tiles(g, packed);
        else if (!uniscale::multiply_on_onednn(g, packed)) uniscale::multiply_on_vectors(g, packed);
    });
}

void* uniscale_weights_create() { return new PackedWeights(); }

void uniscale_weights_invalidate(void* weights) { static_cast<PackedWeights*>(weights)->invalidate(); }

int64_t uniscale_weights_bytes(void* weights) { return static_cast<PackedWeights*>(weights)->bytes(); }

void uniscale_weights_destroy(void* weights) { delete static_cast<PackedWeights*>(weights); }
