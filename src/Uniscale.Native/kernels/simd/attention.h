// What an attention kernel is given; see uniscale_attention_forward in kernels.h.
#pragma once

#include <cstdint>

#include "../kernels.h"

namespace uniscale {

struct Attention {
    const void *q, *k, *v;
    const int64_t *q_documents, *k_documents;
    int64_t batch, queries, keys, heads, kv_heads, dim;
    float scale;
    int64_t diagonal;  // key j is seen by query i where j <= i + diagonal
    int type;

    int64_t group() const { return heads / kv_heads; }
    int64_t q_stride() const { return heads * dim; }
    int64_t k_stride() const { return kv_heads * dim; }
    int64_t q_offset(int64_t sequence, int64_t head) const { return (sequence * queries * heads + head) * dim; }
    int64_t k_offset(int64_t sequence, int64_t kv_head) const { return (sequence * keys * kv_heads + kv_head) * dim; }
    int64_t row_offset(int64_t sequence, int64_t head) const { return (sequence * heads + head) * queries; }
    const int64_t* q_documents_of(int64_t sequence) const { return q_documents ? q_documents + sequence * queries : nullptr; }
    const int64_t* k_documents_of(int64_t sequence) const { return k_documents ? k_documents + sequence * keys : nullptr; }
};

// What its backward is given besides; see uniscale_attention_backward.
struct AttentionGradient {
    const void* dout;
    const float *lse, *delta;
    void *dq, *dk, *dv;
    int type;
};

#define UNISCALE_ATTENTION                                                           \
    void attention_forward(const Attention& problem, void* out, float* lse);         \
    void attention_backward(const Attention& problem, const AttentionGradient& gradient);

#define UNISCALE_ATTENTION_OF_SEQUENCES                                                                                                     \
    void attention_sequences(const uniscale_sequence* sequences, int64_t count, int64_t heads, int64_t kv_heads, int64_t dim, float scale, int type);

namespace avx2 {
UNISCALE_ATTENTION
UNISCALE_ATTENTION_OF_SEQUENCES
}
namespace avx512 {
UNISCALE_ATTENTION
UNISCALE_ATTENTION_OF_SEQUENCES
}
namespace avx512_bf16 {
UNISCALE_ATTENTION
}
namespace amx {  // bf16 only
UNISCALE_ATTENTION
}

}  // namespace uniscale
