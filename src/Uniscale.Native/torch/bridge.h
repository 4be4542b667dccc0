// What the files of the torch bridge share: the exported C interface's types, the guard that turns C++ exceptions into
// return values, and the count of live tensor handles.
#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/api/include/torch/version.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#define UNISCALE_API extern "C" __attribute__((visibility("default")))

/// True when the bridge is compiled against libtorch MAJOR.MINOR or later.
#define UNISCALE_TORCH_AT_LEAST(major, minor) \
    (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace uniscale {

#if UNISCALE_TORCH_AT_LEAST(2, 3)
template <class T>
using Optional = std::optional<T>;
#else
template <class T>
using Optional = c10::optional<T>;
#endif

/// Kinds of a Value; the C# enum ValueKind has the same numbers.
enum class Kind : int32_t {
    None = 0,
    Tensor = 1,           // pointer: at::Tensor*
    Integer = 2,          // integer
    Real = 3,             // real
    Boolean = 4,          // integer, 0 or 1
    Integers = 5,         // pointer: int64_t[count]
    Tensors = 6,          // pointer: at::Tensor*[count]
    OptionalTensors = 7,  // pointer: at::Tensor*[count], null for an absent one
    Reals = 8,            // pointer: double[count]
    String = 9,           // pointer: UTF-8, count bytes
    Device = 10,          // integer: type in the low 32 bits, index in the high 32 bits
    Generator = 11,       // pointer: at::Generator*
};

/// An argument or a result of an operator as it crosses from and to C#.
struct Value {
    Kind kind;
    int32_t count;
    union {
        int64_t integer;
        double real;
        void* pointer;
    };
};
static_assert(sizeof(Value) == 16);

/// Keeps the message of a failure for `uniscale_error` of the same thread.
void remember_error(std::string message) noexcept;

/// The message kept last on this thread.
const std::string& last_error() noexcept;

/// Stores the message of the exception being handled.
void remember_current_exception() noexcept;

/// Runs `body`; when it throws, keeps the message and returns `failure` instead.
template <class Result, class Body>
Result guarded(Result failure, Body&& body) noexcept {
    try {
        return std::forward<Body>(body)();
    } catch (...) {
        remember_current_exception();
        return failure;
    }
}

/// Handles given to C# and not yet released.
extern std::atomic<int64_t> live_handles;

/// A new handle for C#, which must release it.
inline at::Tensor* new_handle(at::Tensor tensor) {
    auto* handle = new at::Tensor(std::move(tensor));
    live_handles.fetch_add(1, std::memory_order_relaxed);
    return handle;
}

/// As `new_handle`, null for an undefined tensor.
inline at::Tensor* new_handle_or_null(at::Tensor tensor) {
    return tensor.defined() ? new_handle(std::move(tensor)) : nullptr;
}

/// The tensor of a handle; an undefined one for null.
inline at::Tensor tensor_of(const at::Tensor* handle) { return handle == nullptr ? at::Tensor() : *handle; }

}  // namespace uniscale
