// Products of bf16 by oneDNN, whose primitives are made once a shape.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <cstdint>
#include <tuple>
#include <unordered_map>

namespace uniscale::onednn {

struct Shape {
    int64_t m, n, k, lda, ldb, ldc;
    int c_type, transpose_a, transpose_b, accumulate, bias, packed, threads;
    auto tied() const {
        return std::tie(m, n, k, lda, ldb, ldc, c_type, transpose_a, transpose_b, accumulate, bias, packed, threads);
    }
    bool operator<(const Shape& other) const { return tied() < other.tied(); }
};

// A primitive with its memory objects; owned by one thread, because the memory handles are set for every call.
struct Product {
    dnnl::matmul primitive;
    dnnl::memory a, b, c, bias, scratchpad;
    dnnl::memory::desc plain_weights, packed_weights;
    std::unordered_map<int, dnnl::memory> arguments;
    bool exists = false;

    explicit Product(const Shape& shape);

    // packed: the weights as packed_weights asks for them, or null.
    void multiply(const void* a, const void* b, void* c, const void* bias, dnnl::memory* packed);
};

// This thread's GEMM of a shape, or null where oneDNN has none on the instructions that the kernels may use.
Product* product_of(const Shape& shape);

// Brings weights from one layout to another.
void reorder(const void* from, const dnnl::memory::desc& plain, dnnl::memory& to);
dnnl::memory room_for(const dnnl::memory::desc& layout);

}  // namespace uniscale::onednn
