// Layer normalisation (Ba et al., 2016) and RMS normalisation (Zhang and Sennrich, 2019), forward and backward.
#include <omp.h>


#include "lanes.h"
#include "simd.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

template <class T>
float sum_of(const T* in, int64_t dim) {
    Lanes sums[chains] = {};
    for_row(dim, [&](int64_t i, int64_t chain, auto part) { sums[chain] += part.load(in + i); });
    return total((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class T>
float squares_around(const T* in, int64_t dim, float centre) {
    Lanes sums[chains] = {};
    for_row(dim, [&](int64_t i, int64_t chain, auto part) {
        const Lanes distance = part.zero_beyond(part.load(in + i) - centre);
        sums[chain] += distance * distance;
    });
    return total((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class T>
void forward(const T* x, const T* weight, const T* bias, T* y, float* mean, float* rstd, int64_t rows, int64_t dim, float epsilon) {
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const T* in = x + row * dim;
        T* out = y + row * dim;
        const float centre = mean != nullptr ? sum_of(in, dim) / static_cast<float>(dim) : 0.0f;
        if (mean != nullptr) mean[row] = centre;
        const float scale = 1.0f / __builtin_sqrtf(squares_around(in, dim, centre) / static_cast<float>(dim) + epsilon);
        rstd[row] = scale;
        for_row(dim, [&](int64_t i, int64_t, auto part) {
            const Lanes normal = (part.load(in + i) - centre) * scale * part.load(weight + i);
            part.store(out + i, bias != nullptr ? normal + part.load(bias + i) : normal);
        });
    }
}

// dx of one row; adds the row's part of the parameter gradients.
template <class T>
void backward_row(const T* dy, const T* x, const T* weight, float centre, float scale, bool centred, const T* carried, T* dx, float* dweight, float* dbias,
                  int64_t dim) {
    float sum_g = 0, sum_gx = 0;
#pragma omp simd reduction(+ : sum_g, sum_gx)
    for (int64_t i = 0; i < dim; i++) {
        const float g = load(dy[i]) * load(weight[i]);
        sum_g += g;
        sum_gx += g * (load(x[i]) - centre) * scale;
    }
    const float mean_g = centred ? sum_g / static_cast<float>(dim) : 0.0f;
    const float mean_gx = sum_gx / static_cast<float>(dim);
    const auto gradient = [&](int64_t i) {
        const float upstream = load(dy[i]), normal = (load(x[i]) - centre) * scale;
        dweight[i] += upstream * normal;
        dbias[i] += upstream;
        return scale * (upstream * load(weight[i]) - mean_g - normal * mean_gx);
    };
    if (carried == nullptr) {
#pragma omp simd
        for (int64_t i = 0; i < dim; i++) store(dx[i], gradient(i));
    } else {
#pragma omp simd
        for (int64_t i = 0; i < dim; i++) store(dx[i], gradient(i) + load(carried[i]));
    }
}

template <class T>
void backward(const T* dy, const T* x, const T* weight, const float* mean, const float* rstd, const T* carried, T* dx, float* dweight, float* dbias,
              int64_t rows, int64_t dim) {
    const int threads = omp_get_max_threads();
    Buffer<float> partial(threads * 2 * dim, 0.0f);
#pragma omp parallel num_threads(threads)
    {
        float* own = partial.data() + omp_get_thread_num() * 2 * dim;
#pragma omp for schedule(static)
        for (int64_t row = 0; row < rows; row++)
            backward_row(dy + row * dim, x + row * dim, weight, mean != nullptr ? mean[row] : 0.0f, rstd[row], mean != nullptr,
                         carried != nullptr ? carried + row * dim : nullptr, dx + row * dim, own, own + dim, dim);
    }
    for (int64_t i = 0; i < dim; i++) {
        float weight_sum = 0, bias_sum = 0;
        for (int thread = 0; thread < threads; thread++) {
            weight_sum += partial[thread * 2 * dim + i];
            bias_sum += partial[thread * 2 * dim + dim + i];
        }
        dweight[i] = weight_sum;
        if (dbias != nullptr) dbias[i] = bias_sum;
    }
}

}  // namespace

void norm_forward(const void* x, const void* weight, const void* bias, void* y, float* mean, float* rstd, int64_t rows, int64_t dim,
                  float epsilon, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        forward(static_cast<const T*>(x), static_cast<const T*>(weight), static_cast<const T*>(bias), static_cast<T*>(y), mean, rstd,
                rows, dim, epsilon);
    });
}

void norm_backward(const void* dy, const void* x, const void* weight, const float* mean, const float* rstd, const void* carried, void* dx, float* dweight,
                   float* dbias, int64_t rows, int64_t dim, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        backward(static_cast<const T*>(dy), static_cast<const T*>(x), static_cast<const T*>(weight), mean, rstd,
                 static_cast<const T*>(carried), static_cast<T*>(dx), dweight, dbias, rows, dim);
    });
}

}  // namespace uniscale::UNISCALE_SIMD
