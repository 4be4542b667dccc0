// GEMM of one or more builds of libuniscale_kernels.so in turn, in processor time of one thread, against the peak measured between the
// rounds: forward alone, with GELU and with a residual, gradient of the input, gradient of the weights added to an fp32 sum.
//
//   c++ -O2 tests/benchmarks/products.cpp -o /tmp/products -ldl
//   OMP_NUM_THREADS=1 /tmp/products bf16 BEFORE/libuniscale_kernels.so AFTER/libuniscale_kernels.so
//   OMP_NUM_THREADS=1 /tmp/products bf16 BEFORE/libuniscale_kernels.so 4096 384 1536     # one shape: tokens, in, out
#include <dlfcn.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "../../src/Uniscale.Native/kernels/kernels.h"

extern "C" int uniscale_peak(int type, int threads, double seconds, double* result);

namespace {

struct Build {
    decltype(&uniscale_matmul) matmul;
    decltype(&uniscale_weights_create) create;
    decltype(&uniscale_weights_destroy) destroy;
    decltype(&uniscale_peak) peak;
    std::vector<double> seconds[5];
    void* weights[2] = {};

    explicit Build(const char* path) {
        void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) std::fprintf(stderr, "%s\n", dlerror()), std::exit(2);
        matmul = reinterpret_cast<decltype(matmul)>(dlsym(library, "uniscale_matmul"));
        create = reinterpret_cast<decltype(create)>(dlsym(library, "uniscale_weights_create"));
        destroy = reinterpret_cast<decltype(destroy)>(dlsym(library, "uniscale_weights_destroy"));
        peak = reinterpret_cast<decltype(peak)>(dlsym(library, "uniscale_peak"));
    }
};

double seconds() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

// On huge pages where the system offers them, as memory/pool.cpp has large tensors.
template <class T>
struct HugePages {
    using value_type = T;
    T* allocate(size_t count) {
        constexpr size_t page = 2 << 20;
        const size_t bytes = (count * sizeof(T) + page - 1) / page * page;
        void* memory = std::aligned_alloc(page, bytes);
        madvise(memory, bytes, MADV_HUGEPAGE);
        return static_cast<T*>(memory);
    }
    void deallocate(T* memory, size_t) { std::free(memory); }
};
template <class T>
using Tensor = std::vector<T, HugePages<T>>;

// Random numbers in either type; bf16 is the upper half of fp32.
Tensor<char> random_matrix(int64_t count, int type) {
    const size_t size = type == 1 ? 2 : 4;
    Tensor<char> bytes(static_cast<size_t>(count) * size);
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 0.05f);
    for (size_t i = 0; i < bytes.size(); i += size) {
        const float value = normal(random);
        std::memcpy(&bytes[i], reinterpret_cast<const char*>(&value) + (4 - size), size);
    }
    return bytes;
}

struct Shape {
    int64_t tokens, in, out;
};

void measure(std::vector<Build>& builds, const Shape& s, int type) {
    const auto x = random_matrix(s.tokens * s.in, type), w = random_matrix(s.out * s.in, type), dy = random_matrix(s.tokens * s.out, type);
    const auto bias = random_matrix(s.out, type);
    Tensor<char> y(dy.size()), pre(dy.size()), dx(x.size());
    Tensor<float> dw(static_cast<size_t>(s.out * s.in)), db(static_cast<size_t>(s.out));
    std::vector<double> peaks;
    for (Build& b : builds) {
        for (auto& each : b.seconds) each.clear();
        for (auto& each : b.weights) each = b.create();
    }
    const uniscale_epilogue with_bias{bias.data(), nullptr, nullptr, nullptr, 0, 0, 0};
    const uniscale_epilogue with_gelu{bias.data(), pre.data(), nullptr, nullptr, 1, 0, 0};
    const uniscale_epilogue with_residual{bias.data(), nullptr, dy.data(), nullptr, 0, 0, 0};
    const uniscale_epilogue sums{nullptr, nullptr, dw.data(), db.data(), 0, 1, 0};
    const double work = 2.0 * static_cast<double>(s.tokens) * static_cast<double>(s.in) * static_cast<double>(s.out);
    const int rounds = static_cast<int>(std::min(41.0, std::max(7.0, 1e11 / work)));
    for (int round = 0; round <= rounds; round++)
        for (Build& b : builds) {
            double peak = 0;
            b.peak(type, 1, 0.005, &peak);
            peaks.push_back(peak);
            double at[6];
            at[0] = seconds();
            b.matmul(s.tokens, s.out, s.in, x.data(), type, s.in, 0, w.data(), type, s.in, 1, y.data(), type, s.out, &with_bias, b.weights[0]);
            at[1] = seconds();
            b.matmul(s.tokens, s.out, s.in, x.data(), type, s.in, 0, w.data(), type, s.in, 1, y.data(), type, s.out, &with_gelu, b.weights[0]);
            at[2] = seconds();
            b.matmul(s.tokens, s.out, s.in, x.data(), type, s.in, 0, w.data(), type, s.in, 1, y.data(), type, s.out, &with_residual, b.weights[0]);
            at[3] = seconds();
            b.matmul(s.tokens, s.in, s.out, dy.data(), type, s.out, 0, w.data(), type, s.in, 0, dx.data(), type, s.in, nullptr, b.weights[1]);
            at[4] = seconds();
            b.matmul(s.out, s.in, s.tokens, dy.data(), type, s.out, 1, x.data(), type, s.in, 0, dw.data(), 0, s.in, &sums, nullptr);
            at[5] = seconds();
            if (round > 0)  // the first packs weights
                for (int i = 0; i < 5; i++) b.seconds[i].push_back(at[i + 1] - at[i]);
        }
    const double peak = median(peaks);
    std::printf("%5ld x %5ld -> %5ld (peak %.0f GFLOP/s):", s.tokens, s.in, s.out, peak / 1e9);
    const char* const names[] = {"forward", "and GELU", "and residual", "input", "weight"};
    for (int i = 0; i < 5; i++) {
        std::printf("  %s", names[i]);
        for (Build& b : builds) std::printf(" %.1f%%", 100 * work / median(b.seconds[i]) / peak);
    }
    std::printf("\n");
    std::fflush(stdout);
    for (Build& b : builds)
        for (auto& each : b.weights) b.destroy(each);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return std::fprintf(stderr, "usage: products fp32|bf16 LIBRARY... [TOKENS IN OUT]\n"), 2;
    const int type = std::string(arguments[1]) == "bf16" ? 1 : 0;
    std::vector<Build> builds;
    std::vector<int64_t> numbers;
    for (int i = 2; i < count; i++)
        if (const int64_t number = std::atoll(arguments[i]); number > 0) numbers.push_back(number);
        else builds.emplace_back(arguments[i]);
    std::vector<Shape> shapes{{4096, 384, 384}, {4096, 384, 1536}, {4096, 1536, 384}, {512, 384, 8192},
                              {2048, 768, 768}, {2048, 768, 3072}, {2048, 3072, 768}, {512, 768, 32000}};
    if (numbers.size() >= 3) shapes = {{numbers[0], numbers[1], numbers[2]}};
    for (const Shape& shape : shapes) measure(builds, shape, type);
}
