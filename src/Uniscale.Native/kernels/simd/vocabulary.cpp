// The two ends of the model: rows of the embedding table, and cross-entropy over the vocabulary.

#include "lanes.h"
#include "simd.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

constexpr int second_level = 2;  // of the caches, as prefetching instructions count them

float highest(const float* row, int64_t entries) {
    const Lanes none = all(-__builtin_inff());
    Lanes top[chains] = {none, none, none, none};
    for_row(entries, [&](int64_t i, int64_t chain, auto part) { top[chain] = larger(top[chain], part.load(row + i, -__builtin_inff())); });
    return largest(larger(larger(top[0], top[1]), larger(top[2], top[3])));
}

// Sum of e^(logit − top), each of which goes to keep(i, part, value).
template <class Keep>
float sum_of_exponentials(const float* row, int64_t entries, float top, Keep&& keep) {
    Lanes sums[chains] = {};
    for_row(entries, [&](int64_t i, int64_t chain, auto part) {
        const Lanes value = power_of_two((part.load(row + i, -__builtin_inff()) - top) * log2_e);
        sums[chain] += value;
        keep(i, part, value);
    });
    return total((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

}  // namespace

void loss_statistics(const float* logits, const int64_t* targets, float* maximum, float* sum, float* target, int64_t rows,
                     int64_t entries) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float* in = logits + row * entries;
        maximum[row] = highest(in, entries);
        sum[row] = sum_of_exponentials(in, entries, maximum[row], [](int64_t, auto, Lanes) {});
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
            for_row(entries, [&](int64_t i, int64_t, auto part) { part.store(out + i, power_of_two((part.load(in + i) - shift) * log2_e) * factor); });
            if (targets[row] >= 0) store(out[targets[row]], (exponential(at_target - shift) - 1.0f) * factor);
        }
    });
}

// The exponentials of a row wait in the cache for their sum. While they are computed, memory would be idle: the next row is fetched.
void cross_entropy(const float* logits, const int64_t* targets, const float* scale, float* log_sum_exp, float* target, void* gradient,
                   int64_t rows, int64_t entries, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
#pragma omp parallel
        {
            Buffer<float> kept(entries + lanes);
            float* values = kept.data();
#pragma omp for schedule(static)
            for (int64_t row = 0; row < rows; row++) {
                const float* in = logits + row * entries;
                T* out = static_cast<T*>(gradient) + row * entries;
                const float top = highest(in, entries);
                const float sum = sum_of_exponentials(in, entries, top, [=](int64_t i, auto, Lanes value) {
                    store_lanes(values + i, value);
                    __builtin_prefetch(in + entries + i, 0, second_level);
                });
                const float factor = scale[row] / sum;
                log_sum_exp[row] = top + __builtin_logf(sum);
                target[row] = targets[row] < 0 ? 0.0f : in[targets[row]];
                for_row(entries, [=](int64_t i, int64_t, auto part) { part.store(out + i, load_lanes(values + i) * factor); });
                if (targets[row] >= 0) store(out[targets[row]], values[targets[row]] * factor - scale[row]);
            }
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
