// The reference for the cost of calling an operator from C#: libtorch's own C++ calls in a loop.
#include "torch/bridge.h"

#include <ATen/Functions.h>

#include <chrono>

namespace uniscale {
namespace {

/// Nanoseconds of one call of `body`, over `count` calls.
template <class Body>
double nanoseconds(int64_t count, Body&& body) {
    const auto begin = std::chrono::steady_clock::now();
    for (int64_t i = 0; i < count; ++i) {
        body();
    }
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
    return elapsed.count() / static_cast<double>(count);
}

}  // namespace
}  // namespace uniscale

using namespace uniscale;

/// at::add(left, right); nanoseconds a call.
UNISCALE_API double uniscale_benchmark_add(const at::Tensor* left, const at::Tensor* right, int64_t count) {
    return guarded(-1.0, [&] { return nanoseconds(count, [&] { at::add(*left, *right); }); });
}

/// left.add_(right); nanoseconds a call.
UNISCALE_API double uniscale_benchmark_add_in_place(at::Tensor* left, const at::Tensor* right, int64_t count) {
    return guarded(-1.0, [&] { return nanoseconds(count, [&] { left->add_(*right); }); });
}

/// left.view({-1}); nanoseconds a call.
UNISCALE_API double uniscale_benchmark_view(const at::Tensor* tensor, int64_t count) {
    return guarded(-1.0, [&] { return nanoseconds(count, [&] { tensor->view({-1}); }); });
}

/// at::layer_norm over the last dim with weight and bias; nanoseconds a call.
UNISCALE_API double uniscale_benchmark_layer_norm(
    const at::Tensor* input, const at::Tensor* weight, const at::Tensor* bias, int64_t count) {
    return guarded(-1.0, [&] {
        return nanoseconds(count, [&] { at::layer_norm(*input, weight->sizes(), *weight, *bias); });
    });
}
