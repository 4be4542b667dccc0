// GELU by its tanh approximation (Hendrycks and Gimpel, 2016), a register at a time.
#pragma once

#include "lanes.h"

namespace uniscale::UNISCALE_SIMD {

// GELU's (1 + tanh u) / 2 is the sigmoid of 2u, and −2u · log2 e = x · (linear + cubic · x²).
constexpr float gelu_linear = -2 * 0.79788456080286535588f * log2_e, gelu_cubic = gelu_linear * 0.044715f;

__attribute__((always_inline)) inline Lanes gelu(Lanes x) {
    // Powers below add nothing to 1; from −11 on the result is 0. Beyond lie denormal numbers, which are slow, and infinity.
    const Lanes exponent = at_most(at_least(x * (gelu_linear + gelu_cubic * x * x), -126.0f), 126.0f);
    const Lanes value = x * reciprocal(1.0f + power_of_two(exponent));
    return x < -11.0f ? Lanes{} : value;
}

__attribute__((always_inline)) inline Lanes gelu_slope(Lanes x) {
    constexpr float ln_2 = 1 / log2_e;
    // From 10 on the slope is 0 or 1 to the last bit.
    x = at_most(at_least(x, -10.0f), 10.0f);
    const Lanes square = x * x, rest = power_of_two(x * (gelu_linear + gelu_cubic * square)), s = reciprocal(1.0f + rest);
    return s - s * s * rest * x * (ln_2 * gelu_linear + 3 * ln_2 * gelu_cubic * square);
}

}  // namespace uniscale::UNISCALE_SIMD
