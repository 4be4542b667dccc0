// One pass over memory each: rotary embedding, activations, AdamW and accumulation.

#include "gelu.h"
#include "simd.h"

namespace uniscale::UNISCALE_SIMD {
namespace {

constexpr int64_t chunk = 16384;  // elements of a unit of parallel work

template <class Body>
void for_chunks(int64_t count, Body&& body) {
    const int64_t chunks = (count + chunk - 1) / chunk;
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < chunks; c++) body(c * chunk, c == chunks - 1 ? count : (c + 1) * chunk);
}

// Calls body(i, Whole{}) for every register of elements from i on, and body(i, Part{count}) for the last ones.
template <class Body>
void for_registers(int64_t count, Body&& body) {
    for_chunks(count, [=](int64_t begin, int64_t end) {
        int64_t i = begin;
        for (; i + lanes <= end; i += lanes) body(i, Whole{});
        if (i < end) body(i, Part{end - i});
    });
}

template <class T>
void rotate(const T* x, T* y, const float* cosines, const float* sines, int64_t table_rows, int64_t rows, int64_t heads,
            int64_t dim, float sign) {
    const int64_t half = dim / 2;
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float* c = cosines + row % table_rows * half;
        const float* s = sines + row % table_rows * half;
        for (int64_t head = 0; head < heads; head++) {
            const T* in = x + (row * heads + head) * dim;
            T* out = y + (row * heads + head) * dim;
#pragma omp simd
            for (int64_t i = 0; i < half; i++) {
                const float first = load(in[i]), second = load(in[i + half]), sine = sign * s[i];
                store(out[i], first * c[i] - second * sine);
                store(out[i + half], second * c[i] + first * sine);
            }
        }
    }
}

}  // namespace

void rope(const void* x, void* y, const float* cosines, const float* sines, int64_t table_rows, int64_t rows, int64_t heads, int64_t dim,
          int inverse, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        rotate(static_cast<const T*>(x), static_cast<T*>(y), cosines, sines, table_rows, rows, heads, dim, inverse ? -1.0f : 1.0f);
    });
}

void swiglu_forward(const void* gate, const void* up, void* y, int64_t count, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        const T *g = static_cast<const T*>(gate), *u = static_cast<const T*>(up);
        T* out = static_cast<T*>(y);
        for_registers(count, [=](int64_t i, auto part) {
            const Lanes value = part.load(g + i);
            part.store(out + i, value / (1.0f + power_of_two(value * -log2_e)) * part.load(u + i));
        });
    });
}

void swiglu_backward(const void* dy, const void* gate, const void* up, void* dgate, void* dup, int64_t count, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        const T *d = static_cast<const T*>(dy), *g = static_cast<const T*>(gate), *u = static_cast<const T*>(up);
        T *dg = static_cast<T*>(dgate), *du = static_cast<T*>(dup);
        for_registers(count, [=](int64_t i, auto part) {
            const Lanes value = part.load(g + i), upstream = part.load(d + i);
            const Lanes s = 1.0f / (1.0f + power_of_two(value * -log2_e));
            part.store(dg + i, upstream * part.load(u + i) * (s + s * (1.0f - s) * value));
            part.store(du + i, upstream * value * s);
        });
    });
}

void gelu_forward(const void* x, void* y, int64_t count, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        const T* in = static_cast<const T*>(x);
        T* out = static_cast<T*>(y);
        for_registers(count, [=](int64_t i, auto part) {
            part.store(out + i, gelu(part.load(in + i)));
        });
    });
}

void gelu_backward(const void* dy, const void* x, void* dx, int64_t count, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        const T *d = static_cast<const T*>(dy), *in = static_cast<const T*>(x);
        T* out = static_cast<T*>(dx);
        for_registers(count, [=](int64_t i, auto part) {
            part.store(out + i, part.load(d + i) * gelu_slope(part.load(in + i)));
        });
    });
}

void attention_delta(const void* dout, const void* out, float* delta, int64_t batch, int64_t queries, int64_t heads, int64_t dim,
                     int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
#pragma omp parallel for schedule(static)
        for (int64_t row = 0; row < batch * queries; row++) {
            const T *gradient = static_cast<const T*>(dout) + row * heads * dim, *output = static_cast<const T*>(out) + row * heads * dim;
            float* sums = delta + row / queries * heads * queries + row % queries;
            for (int64_t head = 0; head < heads; head++, gradient += dim, output += dim) {
                Lanes sum = {};
                int64_t i = 0;
                for (; i + lanes <= dim; i += lanes) sum += load_lanes(gradient + i) * load_lanes(output + i);
                if (i < dim) sum += Part{dim - i}.load(gradient + i) * Part{dim - i}.load(output + i);
                sums[head * queries] = total(sum);
            }
        }
    });
}

void adamw(float* parameters, uint16_t* copy, const float* gradients, float* m, float* v, int64_t count, float learning_rate,
           float beta1, float beta2, float epsilon, float weight_decay, float bias1, float bias2, float gradient_scale) {
    const float keep = 1.0f - learning_rate * weight_decay, step = learning_rate / bias1, root = 1.0f / __builtin_sqrtf(bias2);
    Bf16* half = reinterpret_cast<Bf16*>(copy);
    for_chunks(count, [=](int64_t begin, int64_t end) {
#pragma omp simd
        for (int64_t i = begin; i < end; i++) {
            const float g = gradients[i] * gradient_scale;
            const float first = beta1 * m[i] + (1.0f - beta1) * g, second = beta2 * v[i] + (1.0f - beta2) * g * g;
            m[i] = first;
            v[i] = second;
            parameters[i] = parameters[i] * keep - step * first / (__builtin_sqrtf(second) * root + epsilon);
        }
        if (half == nullptr) return;
#pragma omp simd
        for (int64_t i = begin; i < end; i++) store(half[i], parameters[i]);
    });
}

namespace {

// Eight sums of every eighth element each. Written out, because the compiler leaves a sum of converted elements scalar.
typedef float EightFloats __attribute__((vector_size(32)));
typedef double Doubles __attribute__((vector_size(64)));

inline Doubles wide(const float* x) {
    EightFloats values;
    std::memcpy(&values, x, sizeof values);
    return __builtin_convertvector(values, Doubles);
}

// The processor's own prefetching ends at every page and leaves a single stream of reads a third below the memory's speed.
double squares_of(const float* x, int64_t count) {
    constexpr int64_t width = 8, chains = 4, line = 16, ahead = 64 * line;
    Doubles sums[chains] = {};
    int64_t i = 0;
    for (; i + chains * width <= count; i += chains * width) {
        __builtin_prefetch(x + i + ahead);
        __builtin_prefetch(x + i + ahead + line);
        for (int64_t c = 0; c < chains; c++) {
            const Doubles value = wide(x + i + c * width);
            sums[c] += value * value;
        }
    }
    const Doubles joined = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double total = 0;
    for (int64_t lane = 0; lane < width; lane++) total += joined[lane];
    for (; i < count; i++) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return total;
}

}  // namespace

double sum_of_squares(const float* x, int64_t count) {
    const int64_t chunks = (count + chunk - 1) / chunk;
    Buffer<double> partial(chunks);
    double* sums = partial.data();
    for_chunks(count, [=](int64_t begin, int64_t end) { sums[begin / chunk] = squares_of(x + begin, end - begin); });
    double total = 0;
    for (int64_t c = 0; c < chunks; c++) total += sums[c];
    return total;
}

void accumulate(float* target, const void* source, int64_t count, int type) {
    with_type(type, [&](auto t) {
        using T = decltype(t);
        const T* in = static_cast<const T*>(source);
        for_chunks(count, [=](int64_t begin, int64_t end) {
#pragma omp simd
            for (int64_t i = begin; i < end; i++) target[i] += load(in[i]);
        });
    });
}

}  // namespace uniscale::UNISCALE_SIMD
