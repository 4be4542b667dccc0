// State that is not a tensor's: errors, threads, gradient modes, random generators, versions.
#include "torch/bridge.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>

#include <exception>
#include <mutex>

namespace uniscale {

std::atomic<int64_t> live_handles{0};

namespace {
thread_local std::string error_message;
}

void remember_error(std::string message) noexcept { error_message = std::move(message); }

const std::string& last_error() noexcept { return error_message; }

void remember_current_exception() noexcept {
    try {
        throw;
    } catch (const c10::Error& error) {
        remember_error(error.what_without_backtrace());
    } catch (const std::exception& error) {
        remember_error(error.what());
    } catch (...) {
        remember_error("an exception of unknown type in libtorch");
    }
}

}  // namespace uniscale

using namespace uniscale;

/// The message of the last failure on this thread, UTF-8; valid until the next failure.
UNISCALE_API const char* uniscale_error() { return last_error().c_str(); }

/// Sets the message that a failing callback from C# leaves for the engine to throw.
UNISCALE_API void uniscale_set_error(const char* message) { remember_error(message); }

/// libtorch's version as compiled against, e.g. "1.13.1".
UNISCALE_API const char* uniscale_torch_version() { return TORCH_VERSION; }

/// What libtorch was built with, several lines, for reports.
UNISCALE_API const char* uniscale_torch_configuration() {
    static const std::string text = at::show_config();
    return text.c_str();
}

/// Threads inside an operator called from this thread; the number is this thread's own.
UNISCALE_API int32_t uniscale_set_num_threads(int32_t count) {
    return guarded<int32_t>(-1, [&] {
        // A thread's first use of libtorch takes the number set last by any thread; let that be over before setting its own.
        at::get_num_threads();
        at::set_num_threads(count);
        return 0;
    });
}

UNISCALE_API int32_t uniscale_get_num_threads() { return at::get_num_threads(); }

UNISCALE_API int32_t uniscale_set_num_interop_threads(int32_t count) {
    return guarded<int32_t>(-1, [&] {
        at::set_num_interop_threads(count);
        return 0;
    });
}

UNISCALE_API int32_t uniscale_get_num_interop_threads() { return static_cast<int32_t>(at::get_num_interop_threads()); }

UNISCALE_API int32_t uniscale_grad_enabled() { return at::GradMode::is_enabled() ? 1 : 0; }

UNISCALE_API void uniscale_set_grad_enabled(int32_t enabled) { at::GradMode::set_enabled(enabled != 0); }

UNISCALE_API int32_t uniscale_inference_mode_enabled() { return c10::InferenceMode::is_enabled() ? 1 : 0; }

/// Enters inference mode (or leaves it, for enabled = 0) until the guard is ended on the same thread.
UNISCALE_API void* uniscale_inference_mode_begin(int32_t enabled) {
    return guarded<void*>(nullptr, [&]() -> void* { return new c10::InferenceMode(enabled != 0); });
}

UNISCALE_API void uniscale_inference_mode_end(void* guard) { delete static_cast<c10::InferenceMode*>(guard); }

UNISCALE_API int32_t uniscale_set_deterministic(int32_t enabled, int32_t warn_only) {
    return guarded<int32_t>(-1, [&] {
        at::globalContext().setDeterministicAlgorithms(enabled != 0, warn_only != 0);
        return 0;
    });
}

UNISCALE_API int32_t uniscale_deterministic() { return at::globalContext().deterministicAlgorithms() ? 1 : 0; }

UNISCALE_API int32_t uniscale_has_cuda() {
    return guarded<int32_t>(0, [] { return at::globalContext().hasCUDA() ? 1 : 0; });
}

/// A generator of its own state on the CPU.
UNISCALE_API void* uniscale_generator_new(uint64_t seed) {
    return guarded<void*>(nullptr, [&]() -> void* {
        return new at::Generator(at::make_generator<at::CPUGeneratorImpl>(seed));
    });
}

/// A handle on the generator that operators use when they are given none.
UNISCALE_API void* uniscale_generator_default() {
    return guarded<void*>(nullptr, []() -> void* { return new at::Generator(at::detail::getDefaultCPUGenerator()); });
}

UNISCALE_API void uniscale_generator_free(void* generator) { delete static_cast<at::Generator*>(generator); }

UNISCALE_API void uniscale_generator_set_seed(void* generator, uint64_t seed) {
    auto& target = *static_cast<at::Generator*>(generator);
    std::lock_guard<std::mutex> lock(target.mutex());
    target.set_current_seed(seed);
}

UNISCALE_API uint64_t uniscale_generator_seed(void* generator, int32_t renew) {
    auto& target = *static_cast<at::Generator*>(generator);
    std::lock_guard<std::mutex> lock(target.mutex());
    return renew != 0 ? target.seed() : target.current_seed();
}

/// The generator's state as a byte tensor.
UNISCALE_API at::Tensor* uniscale_generator_get_state(void* generator) {
    return guarded<at::Tensor*>(nullptr, [&] {
        auto& target = *static_cast<at::Generator*>(generator);
        std::lock_guard<std::mutex> lock(target.mutex());
        return new_handle(target.get_state());
    });
}

UNISCALE_API int32_t uniscale_generator_set_state(void* generator, const at::Tensor* state) {
    return guarded<int32_t>(-1, [&] {
        auto& target = *static_cast<at::Generator*>(generator);
        std::lock_guard<std::mutex> lock(target.mutex());
        target.set_state(*state);
        return 0;
    });
}
