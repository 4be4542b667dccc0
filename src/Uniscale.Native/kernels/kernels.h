// C interface of the CPU kernels. All tensors are raw host memory, row-major; the caller owns everything.
//
// type: 0 fp32, 1 bf16. Statistics, parameter gradients and optimizer state are fp32. Threads: the calling thread's OpenMP
// setting; results are the same bits for the same number of threads. Functions return 0, or −1 with uniscale_kernels_error().
#pragma once

#include <cstdint>

#define UNISCALE_KERNEL extern "C" __attribute__((visibility("default")))

// The level of isa.h that the kernels use, and the one that the processor has.
UNISCALE_KERNEL int uniscale_isa();
UNISCALE_KERNEL int uniscale_processor();
UNISCALE_KERNEL const char* uniscale_kernels_error();

// The fused epilogue of a GEMM, in this order; and what is summed beside it. Null where not wanted.
struct uniscale_epilogue {
    const void* bias;    // [n], of b's type
    void* pre;           // of c's type and strides: what GELU is taken of; written with activation 1, read with 2
    const void* addend;  // of c's type and strides; c itself: accumulates (β = 1)
    float* row_sums;     // fp32 [m]: sums over k of op(a), which is dense and transposed
    int activation;      // 0 none, 1 gelu(product + bias), 2 product · gelu'(pre); c is dense then
    int add_row_sums;    // row_sums are added to
    int batch_invariant; // the bits of a row of c do not depend on how many rows there are
};

// c[m,n] = op(a)[m,k] · op(b)[k,n]. lda, ldb, ldc are row strides in elements of the matrices as stored.
// weights: where not null, a handle of uniscale_weights_create whose packed copy of op(b) is used instead of b.
UNISCALE_KERNEL int uniscale_matmul(int64_t m, int64_t n, int64_t k, const void* a, int a_type, int64_t lda, int transpose_a,
                                    const void* b, int b_type, int64_t ldb, int transpose_b, void* c, int c_type, int64_t ldc,
                                    const uniscale_epilogue* epilogue, void* weights);

// Holds packed copies of a weight matrix; uniscale_weights_invalidate after its values changed.
UNISCALE_KERNEL void* uniscale_weights_create();
UNISCALE_KERNEL void uniscale_weights_invalidate(void* weights);
UNISCALE_KERNEL int64_t uniscale_weights_bytes(void* weights);
UNISCALE_KERNEL void uniscale_weights_destroy(void* weights);

// y = norm(x)·weight + bias over rows of `dim`; mean is null for RMS normalisation. rstd, mean: fp32 [rows].
UNISCALE_KERNEL int uniscale_norm_forward(const void* x, const void* weight, const void* bias, void* y, float* mean, float* rstd,
                                          int64_t rows, int64_t dim, float epsilon, int type);
// dx, dweight and dbias (fp32 [dim], dbias may be null) are overwritten. carried: what comes back to x beside the norm and is added to dx, or
// null.
UNISCALE_KERNEL int uniscale_norm_backward(const void* dy, const void* x, const void* weight, const float* mean, const float* rstd,
                                           const void* carried, void* dx, float* dweight, float* dbias, int64_t rows, int64_t dim, int type);

// Rotates pairs (i, i + dim/2) of every head by the angle of its row: tables fp32 [table_rows, dim/2], row r reads entry r % table_rows.
// inverse: the rotation back (its gradient). y may be x.
UNISCALE_KERNEL int uniscale_rope(const void* x, void* y, const float* cosines, const float* sines, int64_t table_rows, int64_t rows,
                                  int64_t heads, int64_t dim, int inverse, int type);

// y = silu(gate)·up, element-wise over count.
UNISCALE_KERNEL int uniscale_swiglu_forward(const void* gate, const void* up, void* y, int64_t count, int type);
UNISCALE_KERNEL int uniscale_swiglu_backward(const void* dy, const void* gate, const void* up, void* dgate, void* dup, int64_t count,
                                             int type);
// y = gelu(x), tanh approximation.
UNISCALE_KERNEL int uniscale_gelu_forward(const void* x, void* y, int64_t count, int type);
UNISCALE_KERNEL int uniscale_gelu_backward(const void* dy, const void* x, void* dx, int64_t count, int type);

// Of each row of logits fp32 [rows, entries]: maximum, sum of exp(logit - maximum), and the target's logit (0 where the target is < 0).
UNISCALE_KERNEL int uniscale_loss_statistics(const float* logits, const int64_t* targets, float* maximum, float* sum, float* target,
                                             int64_t rows, int64_t entries);
// gradient (type) = (exp(logit - log_sum_exp) - [target]) * scale, by row; it may lie in the logits' memory when fp32.
UNISCALE_KERNEL int uniscale_loss_gradient(const float* logits, const int64_t* targets, const float* log_sum_exp, const float* scale,
                                           void* gradient, int64_t rows, int64_t entries, int type);

// Both at once where the rows are whole: log_sum_exp and the target's logit of each row, and the gradient, which may lie in the logits' memory
// when fp32.
UNISCALE_KERNEL int uniscale_cross_entropy(const float* logits, const int64_t* targets, const float* scale, float* log_sum_exp, float* target,
                                           void* gradient, int64_t rows, int64_t entries, int type);

// Rows of the table; tokens outside [first, first + entries) give zeros.
UNISCALE_KERNEL int uniscale_embedding_forward(const int64_t* tokens, const void* table, void* y, int64_t rows, int64_t dim,
                                               int64_t first, int64_t entries, int type);
// dtable fp32 [entries, dim] += rows of dy.
UNISCALE_KERNEL int uniscale_embedding_backward(const int64_t* tokens, const void* dy, float* dtable, int64_t rows, int64_t dim,
                                                int64_t first, int64_t entries, int type);

// Attention over q [batch, queries, heads, dim], k and v [batch, keys, kv_heads, dim]: query i sees key j where j <= i + diagonal and,
// where documents are given (int64 [batch, queries] and [batch, keys]), both are of one document. out is like q, lse fp32 [batch, heads,
// queries] the logarithm of each row's sum. A query that sees nothing has out 0 and lse -inf. dim is even.
UNISCALE_KERNEL int uniscale_attention_forward(const void* q, const void* k, const void* v, void* out, float* lse,
                                               const int64_t* q_documents, const int64_t* k_documents, int64_t batch, int64_t queries,
                                               int64_t keys, int64_t heads, int64_t kv_heads, int64_t dim, float scale,
                                               int64_t diagonal, int type);
// The same for sequences of different lengths, each with operands of its own: q [queries, heads, dim], the last of the tokens whose k and v
// [keys, kv_heads, dim] are given. Query and key are multiplied in fp32 whatever the type. The bits of a query's row depend on its own keys
// alone: neither on the other queries nor on the other sequences.
typedef struct uniscale_sequence {
    const void *q, *k, *v;
    void* out;
    int64_t queries, keys;
} uniscale_sequence;
UNISCALE_KERNEL int uniscale_attention_sequences(const uniscale_sequence* sequences, int64_t count, int64_t heads, int64_t kv_heads, int64_t dim,
                                                 float scale, int type);
// delta fp32 [batch, heads, queries]: the sum over dim of dout * out, both [batch, queries, heads, dim].
UNISCALE_KERNEL int uniscale_attention_delta(const void* dout, const void* out, float* delta, int64_t batch, int64_t queries,
                                             int64_t heads, int64_t dim, int type);
// dq, dk, dv (gradient_type) are overwritten. Given the lse and
// delta of attention over more keys than these, the result is these keys' part.
UNISCALE_KERNEL int uniscale_attention_backward(const void* dout, const void* q, const void* k, const void* v, const float* lse,
                                                const float* delta, const int64_t* q_documents, const int64_t* k_documents, void* dq,
                                                void* dk, void* dv, int64_t batch, int64_t queries, int64_t keys, int64_t heads,
                                                int64_t kv_heads, int64_t dim, float scale, int64_t diagonal, int type,
                                                int gradient_type);

// One pass of AdamW over a flat range: parameters fp32 [count], and their bf16 copy where not null. gradients are multiplied
// with gradient_scale first. bias1 = 1 − β1^t, bias2 = 1 − β2^t.
UNISCALE_KERNEL int uniscale_adamw(float* parameters, uint16_t* copy, const float* gradients, float* m, float* v, int64_t count,
                                   float learning_rate, float beta1, float beta2, float epsilon, float weight_decay, float bias1,
                                   float bias2, float gradient_scale);
// Sum of squares in fp64, in an order that does not depend on the number of threads.
UNISCALE_KERNEL int uniscale_sum_of_squares(const float* x, int64_t count, double* result);
// sums (fp32 [columns], added to where add) of the columns of x [rows, columns]. An element's sum runs along the rows: the number of
// threads does not change a bit.
UNISCALE_KERNEL int uniscale_column_sums(const void* x, float* sums, int64_t rows, int64_t columns, int add, int type);
// target fp32 += source (type).
UNISCALE_KERNEL int uniscale_accumulate(float* target, const void* source, int64_t count, int type);
