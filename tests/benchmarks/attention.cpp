// Attention of one or more builds of libuniscale_kernels.so in turn, in processor time of one thread, against the peak measured between the rounds.
// Processor time, because it moves little where other work runs beside it.
//
//   c++ -O2 tests/benchmarks/attention.cpp -o /tmp/attention -ldl
//   UNISCALE_ISA=avx2 OMP_NUM_THREADS=1 /tmp/attention fp32 BEFORE/libuniscale_kernels.so AFTER/libuniscale_kernels.so
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <cmath>
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
    decltype(&uniscale_attention_forward) forward;
    decltype(&uniscale_attention_delta) delta;
    decltype(&uniscale_attention_backward) backward;
    decltype(&uniscale_peak) peak;
    std::vector<double> forward_seconds, backward_seconds;

    explicit Build(const char* path) {
        void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) std::fprintf(stderr, "%s\n", dlerror()), std::exit(2);
        forward = reinterpret_cast<decltype(forward)>(dlsym(library, "uniscale_attention_forward"));
        delta = reinterpret_cast<decltype(delta)>(dlsym(library, "uniscale_attention_delta"));
        backward = reinterpret_cast<decltype(backward)>(dlsym(library, "uniscale_attention_backward"));
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

// Random numbers in either type; bf16 is the upper half of fp32.
std::vector<char> random_tensor(int64_t count, int type) {
    const size_t size = type == 1 ? 2 : 4;
    std::vector<char> bytes(static_cast<size_t>(count) * size);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (size_t i = 0; i < bytes.size(); i += size) {
        const float value = normal(random);
        std::memcpy(&bytes[i], reinterpret_cast<const char*>(&value) + (4 - size), size);
    }
    return bytes;
}

struct Shape {
    int64_t batch, length, heads, kv_heads, dim;
};

void measure(std::vector<Build>& builds, const Shape& s, int type) {
    const int64_t count = s.batch * s.length * s.heads * s.dim, kv_count = s.batch * s.length * s.kv_heads * s.dim;
    const auto q = random_tensor(count, type), k = random_tensor(kv_count, type), v = random_tensor(kv_count, type), dout = random_tensor(count, type);
    std::vector<char> out(q.size()), dq(q.size()), dk(k.size()), dv(k.size());
    std::vector<float> lse(static_cast<size_t>(s.batch * s.heads * s.length)), delta(lse.size());
    const float scale = 1 / std::sqrt(static_cast<float>(s.dim));
    std::vector<double> peaks;
    for (Build& build : builds) build.forward_seconds.clear(), build.backward_seconds.clear();
    for (int round = 0; round < (s.length > 2000 ? 9 : 31); round++)
        for (Build& b : builds) {
            double peak = 0;
            b.peak(type, 1, 0.01, &peak);
            peaks.push_back(peak);
            const double start = seconds();
            b.forward(q.data(), k.data(), v.data(), out.data(), lse.data(), nullptr, nullptr, s.batch, s.length, s.length, s.heads, s.kv_heads, s.dim,
                      scale, 0, type);
            const double middle = seconds();
            b.delta(dout.data(), out.data(), delta.data(), s.batch, s.length, s.heads, s.dim, type);
            const double begin = seconds();
            b.backward(dout.data(), q.data(), k.data(), v.data(), lse.data(), delta.data(), nullptr, nullptr, dq.data(), dk.data(), dv.data(), s.batch,
                       s.length, s.length, s.heads, s.kv_heads, s.dim, scale, 0, type, type);
            b.forward_seconds.push_back(middle - start);
            b.backward_seconds.push_back(seconds() - begin);
        }
    // The masked half is not counted: two GEMMs forward, five backward.
    const double peak = median(peaks), pairs = static_cast<double>(s.batch * s.heads) * static_cast<double>(s.length * (s.length + 1) / 2);
    for (size_t i = 0; i < builds.size(); i++) {
        const double forward = median(builds[i].forward_seconds), backward = median(builds[i].backward_seconds);
        std::printf("%ld x %ld, %ld heads of %ld over %ld, build %zu: forward %.2f ms (%.0f%% of %.0f GFLOP/s), backward %.2f ms (%.0f%%)\n", s.batch,
                    s.length, s.heads, s.dim, s.kv_heads, i + 1, forward * 1e3, 400 * pairs * s.dim / forward / peak, peak / 1e9, backward * 1e3,
                    1000 * pairs * s.dim / backward / peak);
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) return std::fprintf(stderr, "usage: attention fp32|bf16 LIBRARY...\n"), 2;
    const int type = std::string(arguments[1]) == "bf16" ? 1 : 0;
    std::vector<Build> builds;
    for (int i = 2; i < count; i++) builds.emplace_back(arguments[i]);
    for (const Shape& shape : {Shape{16, 256, 6, 6, 64}, {4, 512, 12, 12, 64}, {1, 2048, 32, 4, 64}, {1, 4096, 6, 6, 128}, {1, 8192, 2, 2, 64}})
        measure(builds, shape, type);
}
