// Layer normalisation (Ba et al., 2016) and RMS normalisation (Zhang and Sennrich, 2019), forward and backward.
#include <omp.h>


#include "lanes.h"
#include "simd.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

// A row of numbers in fp32, in full registers: what lies beyond its end is zeros.
struct Row {
    explicit Row(int64_t dim) : values((dim + lanes - 1) / lanes * lanes, 0.0f) {}
    template <class T>
    Row(const T* from, int64_t dim) : Row(dim) {
        if (from != nullptr) for_row(dim, [&](int64_t i, int64_t, auto part) { set(i, part.load(from + i)); });
    }
    Lanes operator[](int64_t i) const { return load_lanes(values.data() + i); }
    void set(int64_t i, Lanes lanes) { store_lanes(values.data() + i, lanes); }
    Buffer<float> values;
};

inline float joined(const Lanes (&sums)[chains]) { return total((sums[0] + sums[1]) + (sums[2] + sums[3])); }

template <class T>
float sum_of(const T* in, int64_t dim, Row& kept) {
    Lanes sums[chains] = {};
    for_row(dim, [&](int64_t i, int64_t chain, auto part) {
        const Lanes value = part.load(in + i);
        kept.set(i, value);
        sums[chain] += value;
    });
    return joined(sums);
}

float squares_around(const Row& row, int64_t dim, float centre) {
    Lanes sums[chains] = {};
    for_row(dim, [&](int64_t i, int64_t chain, auto part) {
        const Lanes distance = part.zero_beyond(row[i] - centre);
        sums[chain] += distance * distance;
    });
    return joined(sums);
}

template <class T>
void forward(const T* x, const T* weight, const T* bias, T* y, float* mean, float* rstd, int64_t rows, int64_t dim, float epsilon) {
#pragma omp parallel
    {
        const Row factors(weight, dim), addends(bias, dim);
        Row kept(dim);
#pragma omp for schedule(static)
        for (int64_t row = 0; row < rows; row++) {
            T* out = y + row * dim;
            const float sum = sum_of(x + row * dim, dim, kept), centre = mean != nullptr ? sum / static_cast<float>(dim) : 0.0f;
            if (mean != nullptr) mean[row] = centre;
            const float scale = 1.0f / __builtin_sqrtf(squares_around(kept, dim, centre) / static_cast<float>(dim) + epsilon);
            rstd[row] = scale;
            for_row(dim, [&](int64_t i, int64_t, auto part) { part.store(out + i, (kept[i] - centre) * scale * factors[i] + addends[i]); });
        }
    }
}

// The parameters' share of the gradient from a thread's rows, and its memory for one of them.
struct Gradients {
    explicit Gradients(int64_t dim) : weight(dim), bias(dim), upstream(dim), normal(dim) {}
    Row weight, bias, upstream, normal;
};

// dx of one row; adds the row's part of the parameter gradients.
template <class T>
void backward_row(const T* dy, const T* x, const Row& weight, float centre, float scale, bool centred, const T* carried, T* dx,
                  Gradients& own, int64_t dim) {
    Lanes sums_g[chains] = {}, sums_gx[chains] = {};
    for_row(dim, [&](int64_t i, int64_t chain, auto part) {
        const Lanes upstream = part.load(dy + i), normal = (part.load(x + i) - centre) * scale, g = upstream * weight[i];
        own.upstream.set(i, upstream);
        own.normal.set(i, normal);
        sums_g[chain] += g;
        sums_gx[chain] += g * normal;
    });
    const float mean_g = centred ? joined(sums_g) / static_cast<float>(dim) : 0.0f, mean_gx = joined(sums_gx) / static_cast<float>(dim);
    for_row(dim, [&](int64_t i, int64_t, auto part) {
        const Lanes upstream = own.upstream[i], normal = own.normal[i];
        own.weight.set(i, own.weight[i] + upstream * normal);
        own.bias.set(i, own.bias[i] + upstream);
        const Lanes gradient = scale * (upstream * weight[i] - mean_g - normal * mean_gx);
        part.store(dx + i, carried != nullptr ? gradient + part.load(carried + i) : gradient);
    });
}

template <class T>
void backward(const T* dy, const T* x, const T* weight, const float* mean, const float* rstd, const T* carried, T* dx, float* dweight,
              float* dbias, int64_t rows, int64_t dim) {
    const int threads = omp_get_max_threads();
    Buffer<float> partial(threads * 2 * dim, 0.0f);
#pragma omp parallel num_threads(threads)
    {
        const Row factors(weight, dim);
        Gradients own(dim);
#pragma omp for schedule(static)
        for (int64_t row = 0; row < rows; row++)
            backward_row(dy + row * dim, x + row * dim, factors, mean != nullptr ? mean[row] : 0.0f, rstd[row], mean != nullptr,
                         carried != nullptr ? carried + row * dim : nullptr, dx + row * dim, own, dim);
        float* place = partial.data() + omp_get_thread_num() * 2 * dim;
        std::memcpy(place, own.weight.values.data(), static_cast<size_t>(dim) * sizeof(float));
        std::memcpy(place + dim, own.bias.values.data(), static_cast<size_t>(dim) * sizeof(float));
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
