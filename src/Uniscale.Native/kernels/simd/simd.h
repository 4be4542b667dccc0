// The kernels that are compiled once for each instruction set; see kernels.h for what they compute.
#pragma once

#include <cstdint>

#define UNISCALE_SIMD_KERNELS                                                                                                         \
    void norm_forward(const void* x, const void* weight, const void* bias, void* y, float* mean, float* rstd, int64_t rows, int64_t dim,\
                      float epsilon, int type);                                                                                       \
    void norm_backward(const void* dy, const void* x, const void* weight, const float* mean, const float* rstd, const void* carried, void* dx,             \
                       float* dweight, float* dbias, int64_t rows, int64_t dim, int type);                                            \
    void rope(const void* x, void* y, const float* cosines, const float* sines, int64_t table_rows, int64_t rows, int64_t heads,      \
              int64_t dim, int inverse, int type);                                                                                    \
    void swiglu_forward(const void* gate, const void* up, void* y, int64_t count, int type);                                          \
    void swiglu_backward(const void* dy, const void* gate, const void* up, void* dgate, void* dup, int64_t count, int type);          \
    void gelu_forward(const void* x, void* y, int64_t count, int type);                                                               \
    void gelu_backward(const void* dy, const void* x, void* dx, int64_t count, int type);                                             \
    void loss_statistics(const float* logits, const int64_t* targets, float* maximum, float* sum, float* target, int64_t rows,        \
                         int64_t entries);                                                                                            \
    void loss_gradient(const float* logits, const int64_t* targets, const float* log_sum_exp, const float* scale, void* gradient,     \
                       int64_t rows, int64_t entries, int type);                                                                      \
    void cross_entropy(const float* logits, const int64_t* targets, const float* scale, float* log_sum_exp, float* target,            \
                       void* gradient, int64_t rows, int64_t entries, int type);                                                      \
    void embedding_forward(const int64_t* tokens, const void* table, void* y, int64_t rows, int64_t dim, int64_t first, int64_t entries,\
                           int type);                                                                                                 \
    void embedding_backward(const int64_t* tokens, const void* dy, float* dtable, int64_t rows, int64_t dim, int64_t first,           \
                            int64_t entries, int type);                                                                               \
    void attention_delta(const void* dout, const void* out, float* delta, int64_t batch, int64_t queries, int64_t heads, int64_t dim, \
                         int type);                                                                                                   \
    void adamw(float* parameters, uint16_t* copy, const float* gradients, float* m, float* v, int64_t count, float learning_rate,     \
               float beta1, float beta2, float epsilon, float weight_decay, float bias1, float bias2, float gradient_scale);          \
    double sum_of_squares(const float* x, int64_t count);                                                                             \
    void column_sums(const void* x, float* sums, int64_t rows, int64_t columns, int add, int type);                                   \
    void accumulate(float* target, const void* source, int64_t count, int type);

namespace uniscale::avx2 {
UNISCALE_SIMD_KERNELS
}
namespace uniscale::avx512 {
UNISCALE_SIMD_KERNELS
}
