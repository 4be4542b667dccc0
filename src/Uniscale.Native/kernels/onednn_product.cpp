#include "onednn_product.h"

#include <list>
#include <map>

#include "isa.h"

namespace uniscale::onednn {
namespace {

using dnnl::memory;

dnnl::engine& engine() {
    static dnnl::engine cpu(dnnl::engine::kind::cpu, 0);
    return cpu;
}

dnnl::stream& stream() {
    thread_local dnnl::stream cpu(engine());
    return cpu;
}

// oneDNN is asked where it multiplies pairs with the instructions that our kernels have for it: no fewer, which would be slow or not there at
// all, and no more, which would not be what UNISCALE_ISA asks for. It may itself be limited (ONEDNN_MAX_CPU_ISA).
bool serves() {
    static const auto effective = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
    const auto has = [](dnnl::cpu_isa isa) { return (effective & static_cast<unsigned>(isa)) == static_cast<unsigned>(isa); };
    const bool tiles = has(dnnl::cpu_isa::avx512_core_amx);
    return isa() >= Isa::Avx512Bf16 && has(dnnl::cpu_isa::avx512_core_bf16) && (isa() >= Isa::Amx || !tiles);
}

constexpr int bf16 = 1;

memory::data_type data_type(int type) { return type == 1 ? memory::data_type::bf16 : memory::data_type::f32; }

memory::desc matrix(int64_t rows, int64_t columns, int type, int64_t stride, bool transposed) {
    const memory::dims strides = transposed ? memory::dims{1, stride} : memory::dims{stride, 1};
    return memory::desc({rows, columns}, data_type(type), strides);
}

dnnl::matmul::primitive_desc described(const memory::desc& a, const memory::desc& b, const memory::desc* bias, const memory::desc& c,
                                       const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
    return bias != nullptr ? dnnl::matmul::primitive_desc(engine(), a, b, *bias, c, attributes, true)
                           : dnnl::matmul::primitive_desc(engine(), a, b, c, attributes, true);
#else
    const auto description = bias != nullptr ? dnnl::matmul::desc(a, b, *bias, c) : dnnl::matmul::desc(a, b, c);
    return {description, attributes, engine(), true};
#endif
}

}  // namespace

Product::Product(const Shape& s) {
    if (!serves()) return;
    const auto a_desc = matrix(s.m, s.k, bf16, s.lda, s.transpose_a);
    plain_weights = matrix(s.k, s.n, bf16, s.ldb, s.transpose_b);
    const auto b_desc = s.packed ? memory::desc({s.k, s.n}, data_type(bf16), memory::format_tag::any) : plain_weights;
    const auto c_desc = matrix(s.m, s.n, s.c_type, s.ldc, false);
    dnnl::primitive_attr attributes;
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    if (s.accumulate) {
        dnnl::post_ops sum;
        sum.append_sum(1.0f);
        attributes.set_post_ops(sum);
    }
    const auto bias_desc = memory::desc({1, s.n}, data_type(bf16), memory::format_tag::ab);
    const auto description = described(a_desc, b_desc, s.bias ? &bias_desc : nullptr, c_desc, attributes);
    if (description.get(true) == nullptr) return;
    exists = true;
    primitive = dnnl::matmul(description);
    packed_weights = description.weights_desc();
    a = memory(a_desc, engine(), nullptr);
    b = memory(packed_weights, engine(), nullptr);
    c = memory(c_desc, engine(), nullptr);
    scratchpad = memory(description.scratchpad_desc(), engine());
    arguments = {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}, {DNNL_ARG_SCRATCHPAD, scratchpad}};
    if (s.bias) {
        bias = memory(bias_desc, engine(), nullptr);
        arguments[DNNL_ARG_BIAS] = bias;
    }
}

void Product::multiply(const void* a_values, const void* b_values, void* c_values, const void* bias_values, memory* packed) {
    a.set_data_handle(const_cast<void*>(a_values));
    b.set_data_handle(packed != nullptr ? packed->get_data_handle() : const_cast<void*>(b_values));
    c.set_data_handle(c_values);
    if (bias_values != nullptr) bias.set_data_handle(const_cast<void*>(bias_values));
    primitive.execute(stream(), arguments);
    stream().wait();
}

// Least-recently-used oneDNN primitives of this thread; bounded, because context lengths and batches vary over a run.
Product* product_of(const Shape& shape) {
    constexpr size_t capacity = 256;
    thread_local std::list<std::pair<Shape, Product>> recent;
    thread_local std::map<Shape, std::list<std::pair<Shape, Product>>::iterator> index;
    const auto found = index.find(shape);
    if (found != index.end()) {
        recent.splice(recent.begin(), recent, found->second);
    } else {
        recent.emplace_front(shape, Product(shape));
        index[shape] = recent.begin();
        if (recent.size() > capacity) {
            index.erase(recent.back().first);
            recent.pop_back();
        }
    }
    return recent.front().second.exists ? &recent.front().second : nullptr;
}

void reorder(const void* from, const memory::desc& plain, memory& to) {
    memory source(plain, engine(), const_cast<void*>(from));
#if DNNL_VERSION_MAJOR >= 3
    // 3.7 brings a transposed matrix into the order of a product's weights with wrong values, and into plain order with right ones
    // (findings/onednn-reorders-transposed-wrong.sh).
    if (plain.get_strides()[0] < plain.get_strides()[1]) {
        memory rows(memory::desc(plain.get_dims(), plain.get_data_type(), memory::format_tag::ab), engine());
        dnnl::reorder(source, rows).execute(stream(), source, rows);
        source = rows;
    }
#endif
    dnnl::reorder(source, to).execute(stream(), source, to);
    stream().wait();
}

memory room_for(const memory::desc& layout) { return memory(layout, engine()); }

}  // namespace uniscale::onednn
