// The C interface of the vector kernels: one call into the code that this processor runs.
#include <stdexcept>

#include "error.h"
#include "isa.h"
#include "kernels.h"
#include "simd/attention.h"
#include "simd/simd.h"

namespace {

using uniscale::guarded;
using uniscale::Isa;

template <class Avx2, class Avx512>
int dispatch(Avx2&& avx2, Avx512&& avx512) {
    return guarded([&] {
        if (uniscale::isa() >= Isa::Avx512) avx512();
        else if (uniscale::isa() >= Isa::Avx2) avx2();
        else throw std::runtime_error("the CPU kernels need AVX2; this processor lacks it");
    });
}

}  // namespace

#define DISPATCH(call) dispatch([&] { uniscale::avx2::call; }, [&] { uniscale::avx512::call; })
#define DISPATCH_RESULT(target, call) \
    dispatch([&] { target = uniscale::avx2::call; }, [&] { target = uniscale::avx512::call; })

int uniscale_norm_forward(const void* x, const void* weight, const void* bias, void* y, float* mean, float* rstd, int64_t rows, int64_t dim,
                          float epsilon, int type) {
    return DISPATCH(norm_forward(x, weight, bias, y, mean, rstd, rows, dim, epsilon, type));
}

int uniscale_norm_backward(const void* dy, const void* x, const void* weight, const float* mean, const float* rstd, const void* carried, void* dx,
                           float* dweight, float* dbias, int64_t rows, int64_t dim, int type) {
    return DISPATCH(norm_backward(dy, x, weight, mean, rstd, carried, dx, dweight, dbias, rows, dim, type));
}

int uniscale_rope(const void* x, void* y, const float* cosines, const float* sines, int64_t table_rows, int64_t rows, int64_t heads,
                  int64_t dim, int inverse, int type) {
    return DISPATCH(rope(x, y, cosines, sines, table_rows, rows, heads, dim, inverse, type));
}

int uniscale_swiglu_forward(const void* gate, const void* up, void* y, int64_t count, int type) {
    return DISPATCH(swiglu_forward(gate, up, y, count, type));
}

int uniscale_swiglu_backward(const void* dy, const void* gate, const void* up, void* dgate, void* dup, int64_t count, int type) {
    return DISPATCH(swiglu_backward(dy, gate, up, dgate, dup, count, type));
}

int uniscale_gelu_forward(const void* x, void* y, int64_t count, int type) { return DISPATCH(gelu_forward(x, y, count, type)); }

int uniscale_gelu_backward(const void* dy, const void* x, void* dx, int64_t count, int type) {
    return DISPATCH(gelu_backward(dy, x, dx, count, type));
}

int uniscale_loss_statistics(const float* logits, const int64_t* targets, float* maximum, float* sum, float* target, int64_t rows,
                             int64_t entries) {
    return DISPATCH(loss_statistics(logits, targets, maximum, sum, target, rows, entries));
}

int uniscale_loss_gradient(const float* logits, const int64_t* targets, const float* log_sum_exp, const float* scale, void* gradient,
                           int64_t rows, int64_t entries, int type) {
    return DISPATCH(loss_gradient(logits, targets, log_sum_exp, scale, gradient, rows, entries, type));
}

int uniscale_cross_entropy(const float* logits, const int64_t* targets, const float* scale, float* log_sum_exp, float* target, void* gradient,
                           int64_t rows, int64_t entries, int type) {
    return DISPATCH(cross_entropy(logits, targets, scale, log_sum_exp, target, gradient, rows, entries, type));
}

int uniscale_embedding_forward(const int64_t* tokens, const void* table, void* y, int64_t rows, int64_t dim, int64_t first,
                               int64_t entries, int type) {
    return DISPATCH(embedding_forward(tokens, table, y, rows, dim, first, entries, type));
}

int uniscale_embedding_backward(const int64_t* tokens, const void* dy, float* dtable, int64_t rows, int64_t dim, int64_t first,
                                int64_t entries, int type) {
    return DISPATCH(embedding_backward(tokens, dy, dtable, rows, dim, first, entries, type));
}

int uniscale_adamw(float* parameters, uint16_t* copy, const float* gradients, float* m, float* v, int64_t count, float learning_rate,
                   float beta1, float beta2, float epsilon, float weight_decay, float bias1, float bias2, float gradient_scale) {
    return DISPATCH(adamw(parameters, copy, gradients, m, v, count, learning_rate, beta1, beta2, epsilon, weight_decay, bias1, bias2,
                          gradient_scale));
}

int uniscale_sum_of_squares(const float* x, int64_t count, double* result) { return DISPATCH_RESULT(*result, sum_of_squares(x, count)); }

int uniscale_column_sums(const void* x, float* sums, int64_t rows, int64_t columns, int add, int type) {
    return DISPATCH(column_sums(x, sums, rows, columns, add, type));
}

int uniscale_accumulate(float* target, const void* source, int64_t count, int type) {
    return DISPATCH(accumulate(target, source, count, type));
}

int uniscale_attention_forward(const void* q, const void* k, const void* v, void* out, float* lse, const int64_t* q_documents,
                               const int64_t* k_documents, int64_t batch, int64_t queries, int64_t keys, int64_t heads, int64_t kv_heads,
                               int64_t dim, float scale, int64_t diagonal, int type) {
    const uniscale::Attention problem{q, k, v, q_documents, k_documents, batch, queries, keys, heads, kv_heads, dim, scale, diagonal, type};
    if (type == 1 && uniscale::isa() >= Isa::Amx) return guarded([&] { uniscale::amx::attention_forward(problem, out, lse); });
    if (type == 1 && uniscale::isa() >= Isa::Avx512Bf16)
        return guarded([&] { uniscale::avx512_bf16::attention_forward(problem, out, lse); });
    return DISPATCH(attention_forward(problem, out, lse));
}

int uniscale_attention_sequences(const uniscale_sequence* sequences, int64_t count, int64_t heads, int64_t kv_heads, int64_t dim, float scale, int type) {
    return DISPATCH(attention_sequences(sequences, count, heads, kv_heads, dim, scale, type));
}

int uniscale_attention_delta(const void* dout, const void* out, float* delta, int64_t batch, int64_t queries, int64_t heads, int64_t dim,
                             int type) {
    return DISPATCH(attention_delta(dout, out, delta, batch, queries, heads, dim, type));
}

int uniscale_attention_backward(const void* dout, const void* q, const void* k, const void* v, const float* lse, const float* delta,
                                const int64_t* q_documents, const int64_t* k_documents, void* dq, void* dk, void* dv, int64_t batch,
                                int64_t queries, int64_t keys, int64_t heads, int64_t kv_heads, int64_t dim, float scale,
                                int64_t diagonal, int type, int gradient_type) {
    const uniscale::Attention problem{q, k, v, q_documents, k_documents, batch, queries, keys, heads, kv_heads, dim, scale, diagonal, type};
    const uniscale::AttentionGradient gradient{dout, lse, delta, dq, dk, dv, gradient_type};
    if (type == 1 && uniscale::isa() >= Isa::Amx) return guarded([&] { uniscale::amx::attention_backward(problem, gradient); });
    if (type == 1 && uniscale::isa() >= Isa::Avx512Bf16)
        return guarded([&] { uniscale::avx512_bf16::attention_backward(problem, gradient); });
    return DISPATCH(attention_backward(problem, gradient));
}
