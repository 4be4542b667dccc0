// Matrix products: bf16 on our own AMX kernel where the processor has tiles, all else on oneDNN. Weights are packed once a value,
// oneDNN's primitives are made once a shape.
#include <oneapi/dnnl/dnnl.hpp>
#include <omp.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>

#include "error.h"
#include "isa.h"
#include "kernels.h"
#include "simd/tile_product.h"

namespace uniscale {
namespace {

using dnnl::memory;

struct Shape {
    int64_t m, n, k, lda, ldb, ldc;
    int a_type, b_type, c_type, transpose_a, transpose_b, accumulate, bias, packed, threads;
    auto tied() const {
        return std::tie(m, n, k, lda, ldb, ldc, a_type, b_type, c_type, transpose_a, transpose_b, accumulate, bias, packed, threads);
    }
    bool operator<(const Shape& other) const { return tied() < other.tied(); }
};

dnnl::engine& engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

memory::data_type data_type(int type) { return type == 1 ? memory::data_type::bf16 : memory::data_type::f32; }

memory::desc matrix(int64_t rows, int64_t columns, int type, int64_t stride, bool transposed) {
    const memory::dims strides = transposed ? memory::dims{1, stride} : memory::dims{stride, 1};
    return memory::desc({rows, columns}, data_type(type), strides);
}

// A primitive with its memory objects; owned by one thread, because the memory handles are set for every call.
struct Product {
    dnnl::matmul primitive;
    memory a, b, c, bias, scratchpad;
    memory::desc plain_weights, packed_weights;
    std::unordered_map<int, memory> arguments;

    explicit Product(const Shape& s) {
        const auto a_desc = matrix(s.m, s.k, s.a_type, s.lda, s.transpose_a);
        plain_weights = matrix(s.k, s.n, s.b_type, s.ldb, s.transpose_b);
        const auto b_desc =
            s.packed ? memory::desc({s.k, s.n}, data_type(s.b_type), memory::format_tag::any) : plain_weights;
        const auto c_desc = matrix(s.m, s.n, s.c_type, s.ldc, false);
        dnnl::primitive_attr attributes;
        attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
        if (s.accumulate) {
            dnnl::post_ops sum;
            sum.append_sum(1.0f);
            attributes.set_post_ops(sum);
        }
        const auto bias_desc = memory::desc({1, s.n}, data_type(s.bias - 1), memory::format_tag::ab);
        const auto descriptor = s.bias ? dnnl::matmul::desc(a_desc, b_desc, bias_desc, c_desc) : dnnl::matmul::desc(a_desc, b_desc, c_desc);
        const dnnl::matmul::primitive_desc primitive_descriptor(descriptor, attributes, engine());
        primitive = dnnl::matmul(primitive_descriptor);
        packed_weights = primitive_descriptor.weights_desc();
        a = memory(a_desc, engine(), nullptr);
        b = memory(packed_weights, engine(), nullptr);
        c = memory(c_desc, engine(), nullptr);
        scratchpad = memory(primitive_descriptor.scratchpad_desc(), engine());
        arguments = {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}, {DNNL_ARG_SCRATCHPAD, scratchpad}};
        if (s.bias) {
            bias = memory(bias_desc, engine(), nullptr);
            arguments[DNNL_ARG_BIAS] = bias;
        }
    }
};

// Least-recently-used products of this thread; bounded, because context lengths and batches vary over a run.
Product& product_of(const Shape& shape) {
    constexpr size_t capacity = 256;
    thread_local std::list<std::pair<Shape, Product>> recent;
    thread_local std::map<Shape, std::list<std::pair<Shape, Product>>::iterator> index;
    const auto found = index.find(shape);
    if (found != index.end()) {
        recent.splice(recent.begin(), recent, found->second);
        return recent.front().second;
    }
    recent.emplace_front(shape, Product(shape));
    index[shape] = recent.begin();
    if (recent.size() > capacity) {
        index.erase(recent.back().first);
        recent.pop_back();
    }
    return recent.front().second;
}

dnnl::stream& stream() {
    thread_local dnnl::stream cpu(engine());
    return cpu;
}

// The packed copies of one weight matrix, one for each layout that products asked for (forward and backward want different ones).
struct Weights {
    struct Packed {
        memory::desc plain;
        memory storage;
        bool current;
    };
    struct Tiled {
        int64_t k, n, ldb;
        bool transposed, current;
        std::unique_ptr<char, decltype(&std::free)> storage;
    };
    std::mutex mutex;
    std::list<Packed> copies;
    std::list<Tiled> tiled;

    memory& pack(const void* values, const memory::desc& plain, const memory::desc& wanted) {
        std::lock_guard<std::mutex> lock(mutex);
        for (auto& copy : copies) {
            if (copy.plain != plain || copy.storage.get_desc() != wanted) continue;
            if (!copy.current) fill(copy, values);
            return copy.storage;
        }
        copies.push_back({plain, memory(wanted, engine()), false});
        fill(copies.back(), values);
        return copies.back().storage;
    }

    const char* tiles(const amx::TileProduct& p, int threads) {
        std::lock_guard<std::mutex> lock(mutex);
        auto copy = tiled.begin();
        while (copy != tiled.end() && std::tie(copy->k, copy->n, copy->ldb, copy->transposed) != std::tie(p.k, p.n, p.ldb, p.transpose_b)) copy++;
        if (copy == tiled.end()) {
            auto* memory = static_cast<char*>(std::aligned_alloc(64, static_cast<size_t>(amx::packed_bytes(p.k, p.n))));
            if (memory == nullptr) throw std::bad_alloc();
            copy = tiled.insert(copy, Tiled{p.k, p.n, p.ldb, p.transpose_b, false, {memory, &std::free}});
        }
        if (!copy->current) amx::pack_weights(p.b, p.ldb, p.transpose_b, p.k, p.n, copy->storage.get(), threads);
        copy->current = true;
        return copy->storage.get();
    }

    void invalidate() {
        std::lock_guard<std::mutex> lock(mutex);
        for (auto& copy : copies) copy.current = false;
        for (auto& copy : tiled) copy.current = false;
    }

    int64_t bytes() {
        std::lock_guard<std::mutex> lock(mutex);
        int64_t sum = 0;
        for (auto& copy : copies) sum += static_cast<int64_t>(copy.storage.get_desc().get_size());
        for (auto& copy : tiled) sum += amx::packed_bytes(copy.k, copy.n);
        return sum;
    }

private:
    void fill(Packed& copy, const void* values) {
        memory source(copy.plain, engine(), const_cast<void*>(values));
        dnnl::reorder(source, copy.storage).execute(stream(), source, copy.storage);
        stream().wait();
        copy.current = true;
    }
};

void multiply_on_tiles(amx::TileProduct p, Weights* weights) {
    if (p.lda < (p.transpose_a ? p.m : p.k) || p.ldb < (p.transpose_b ? p.k : p.n) || p.ldc < p.n)
        throw std::invalid_argument("a matrix of the product has a row stride shorter than its rows");
    const int threads = omp_get_max_threads();
    if (weights != nullptr) p.packed = weights->tiles(p, threads);
    amx::product(p, threads);
}

void multiply_on_onednn(const Shape& shape, const void* a, const void* b, void* c, const void* bias, Weights* weights) {
    auto& product = product_of(shape);
    product.a.set_data_handle(const_cast<void*>(a));
    product.c.set_data_handle(c);
    if (bias != nullptr) product.bias.set_data_handle(const_cast<void*>(bias));
    if (weights == nullptr) {
        product.b.set_data_handle(const_cast<void*>(b));
    } else {
        auto& packed = weights->pack(b, product.plain_weights, product.packed_weights);
        product.b.set_data_handle(packed.get_data_handle());
    }
    product.primitive.execute(stream(), product.arguments);
    stream().wait();
}

void check(int result) {
    if (result != 0) throw std::runtime_error(uniscale_kernels_error());
}

void copy_rows(void* target, const void* source, int64_t rows, int64_t stride_bytes, int64_t row_bytes) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++)
        std::memcpy(static_cast<char*>(target) + row * stride_bytes, static_cast<const char*>(source) + row * stride_bytes, static_cast<size_t>(row_bytes));
}

// The epilogue in passes of their own, but for the bias and what lies in c already.
void multiply_in_passes(const Shape& shape, const void* a, const void* b, void* c, const uniscale_epilogue& e, Weights* weights) {
    const int64_t element = shape.c_type == 1 ? 2 : 4;
    if (e.addend != nullptr && e.addend != c) copy_rows(c, e.addend, shape.m, shape.ldc * element, shape.n * element);
    multiply_on_onednn(shape, a, b, e.activation == 1 ? e.pre : c, e.bias, weights);
    if (e.activation == 1) check(uniscale_gelu_forward(e.pre, c, shape.m * shape.n, shape.c_type));
    if (e.activation == 2) check(uniscale_gelu_backward(c, e.pre, c, shape.m * shape.n, shape.c_type));
    if (e.row_sums != nullptr) check(uniscale_column_sums(a, e.row_sums, shape.k, shape.m, e.add_row_sums, shape.a_type));
}

}  // namespace
}  // namespace uniscale

using uniscale::Weights;

int uniscale_matmul(int64_t m, int64_t n, int64_t k, const void* a, int a_type, int64_t lda, int transpose_a, const void* b, int b_type,
                    int64_t ldb, int transpose_b, void* c, int c_type, int64_t ldc, const uniscale_epilogue* epilogue, void* weights) {
    return uniscale::guarded([&] {
        if (m == 0 || n == 0) return;
        const uniscale_epilogue e = epilogue == nullptr ? uniscale_epilogue{} : *epilogue;
        if (e.activation != 0 && (e.pre == nullptr || e.addend != nullptr || ldc != n))
            throw std::invalid_argument("a product with an activation has a dense result, room for what it is taken of, and nothing added");
        if (e.row_sums != nullptr && (!transpose_a || lda != m)) throw std::invalid_argument("rows are summed of dense transposed operands only");
        auto* packed = static_cast<Weights*>(weights);
        if (a_type == 1 && b_type == 1 && k > 0 && (e.activation == 0 || c_type == 1) && uniscale::isa() >= uniscale::Isa::Amx) {
            uniscale::amx::TileProduct p{m, n, k, a, lda, transpose_a != 0, b, ldb, transpose_b != 0, nullptr, c, ldc, c_type == 1, e.addend, e.bias};
            p.activation = static_cast<uniscale::amx::Activation>(e.activation);
            p.pre = e.pre;
            p.a_sums = e.row_sums;
            p.add_sums = e.add_row_sums != 0;
            uniscale::multiply_on_tiles(p, packed);
            return;
        }
        const uniscale::Shape shape{m,      n,           k,           lda,        ldb,  ldc, a_type, b_type,
                                    c_type, transpose_a, transpose_b, e.addend != nullptr, e.bias != nullptr ? b_type + 1 : 0,
                                    weights != nullptr, omp_get_max_threads()};
        uniscale::multiply_in_passes(shape, a, b, c, e, packed);
    });
}

void* uniscale_weights_create() { return new Weights(); }

void uniscale_weights_invalidate(void* weights) { static_cast<Weights*>(weights)->invalidate(); }

int64_t uniscale_weights_bytes(void* weights) { return static_cast<Weights*>(weights)->bytes(); }

void uniscale_weights_destroy(void* weights) { delete static_cast<Weights*>(weights); }
