// The two ends of the model: rows of the embedding table, and cross-entropy over the vocabulary.

#include "simd.h"
#include "vector.h"

namespace uniscale::UNISCALE_SIMD {
void loss_statistics(const float* logits, const int64_t* targets, float* maximum, float* sum, float* target, int64_t rows,
                     int64_t entries) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float* in = logits + row * entries;
        float top = in[0];
#pragma omp simd reduction(max : top)
        for (int64_t i = 0; i < entries; i++) top = in[i] > top ? in[i] : top;
        float total = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t i = 0; i < entries; i++) total += exponential(in[i] - top);
        maximum[row] = top;
        sum[row] = total;
        target[row] = targets[row] < 0 ? 0.0f : in[targets[row]];
    }
}

void loss_gradient(const float* logits, const int64_t* targets, const float* log_sum_exp, const float* scale, void* gradient,
                   int64_t rows, int64_t entries, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
#pragma omp parallel for schedule(static)
        for (int64_t row = 0; row < rows; row++) {
            const float* in = logits + row * entries;
            T* out = static_cast<T*>(gradient) + row * entries;
            const float shift = log_sum_exp[row], factor = scale[row];
            const float at_target = targets[row] < 0 ? 0.0f : in[targets[row]];
#pragma omp simd
            for (int64_t i = 0; i < entries; i++) store(out[i], exponential(in[i] - shift) * factor);
            if (targets[row] >= 0) store(out[targets[row]], (exponential(at_target - shift) - 1.0f) * factor);
        }
    });
}

void embedding_forward(const int64_t* tokens, const void* table, void* y, int64_t rows, int64_t dim, int64_t first, int64_t entries,
                       int type) {
    const size_t bytes = static_cast<size_t>(dim) * (type == 1 ? 2 : 4);
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        char* out = static_cast<char*>(y) + static_cast<size_t>(row) * bytes;
        const int64_t entry = tokens[row] - first;
        if (entry < 0 || entry >= entries) std::memset(out, 0, bytes);
        else std::memcpy(out, static_cast<const char*>(table) + static_cast<size_t>(entry) * bytes, bytes);
    }
}

// Threads own columns, so that every entry is summed in the order of its tokens whatever their number.
void embedding_backward(const int64_t* tokens, const void* dy, float* dtable, int64_t rows, int64_t dim, int64_t first, int64_t entries,
                        int type) {
    constexpr int64_t width = 64;
    const int64_t strips = (dim + width - 1) / width;
    with_type(type, [&](auto t) {
        using T = decltype(t);
        const T* upstream = static_cast<const T*>(dy);
#pragma omp parallel for schedule(static)
        for (int64_t strip = 0; strip < strips; strip++) {
            const int64_t begin = strip * width, end = begin + width < dim ? begin + width : dim;
            for (int64_t row = 0; row < rows; row++) {
                const int64_t entry = tokens[row] - first;
                if (entry < 0 || entry >= entries) continue;
                float* target = dtable + entry * dim;
                const T* in = upstream + row * dim;
#pragma omp simd
                for (int64_t i = begin; i < end; i++) target[i] += load(in[i]);
            }
        }
    });
}

}  // namespace uniscale::UNISCALE_SIMD
