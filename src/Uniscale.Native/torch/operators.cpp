// Every ATen operator through one function: found by schema name in libtorch's dispatcher, called boxed.
#include "torch/bridge.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

#include <vector>

namespace uniscale {
namespace {

/// An operator that was found, with the default values that fill in for arguments not given.
struct Operator {
    c10::OperatorHandle handle;
    std::vector<c10::IValue> defaults;

    explicit Operator(c10::OperatorHandle found) : handle(found) {
        for (const auto& argument : found.schema().arguments()) {
            const auto& value = argument.default_value();
            defaults.push_back(value.has_value() ? *value : c10::IValue());
        }
    }
};

template <class Element>
Element* array_of(const Value& value) {
    return static_cast<Element*>(value.pointer);
}

c10::IValue tensor_list(const Value& value) {
    c10::List<at::Tensor> list;
    list.reserve(value.count);
    for (int32_t i = 0; i < value.count; ++i) {
        list.push_back(tensor_of(array_of<at::Tensor*>(value)[i]));
    }
    return list;
}

c10::IValue optional_tensor_list(const Value& value) {
    c10::List<Optional<at::Tensor>> list;
    list.reserve(value.count);
    for (int32_t i = 0; i < value.count; ++i) {
        const auto* handle = array_of<at::Tensor*>(value)[i];
        list.push_back(handle == nullptr ? Optional<at::Tensor>() : Optional<at::Tensor>(*handle));
    }
    return list;
}

c10::Device device_of(int64_t packed) {
    return {static_cast<c10::DeviceType>(packed & 0xffffffff), static_cast<c10::DeviceIndex>(packed >> 32)};
}

c10::IValue to_ivalue(const Value& value) {
    switch (value.kind) {
        case Kind::None:
            return {};
        case Kind::Tensor:
            return value.pointer == nullptr ? c10::IValue() : c10::IValue(*static_cast<at::Tensor*>(value.pointer));
        case Kind::Integer:
            return value.integer;
        case Kind::Real:
            return value.real;
        case Kind::Boolean:
            return value.integer != 0;
        case Kind::Integers:
            return at::IntArrayRef(array_of<int64_t>(value), value.count);
        case Kind::Tensors:
            return tensor_list(value);
        case Kind::OptionalTensors:
            return optional_tensor_list(value);
        case Kind::Reals:
            return at::ArrayRef<double>(array_of<double>(value), value.count);
        case Kind::String:
            return std::string(array_of<char>(value), value.count);
        case Kind::Device:
            return device_of(value.integer);
        case Kind::Generator:
            return value.pointer == nullptr ? c10::IValue() : c10::IValue(*static_cast<at::Generator*>(value.pointer));
    }
    TORCH_CHECK(false, "unknown kind of argument: ", static_cast<int32_t>(value.kind));
}

/// A tensor list as a result: an array of handles that `uniscale_free_list` frees (the handles are the caller's).
Value list_result(const c10::IValue& value) {
    const auto tensors = value.toTensorVector();
    auto** handles = new at::Tensor*[tensors.size()];
    for (size_t i = 0; i < tensors.size(); ++i) {
        handles[i] = new_handle_or_null(tensors[i]);
    }
    Value result{Kind::Tensors, static_cast<int32_t>(tensors.size()), {}};
    result.pointer = handles;
    return result;
}

Value to_value(c10::IValue&& value) {
    Value result{Kind::None, 0, {}};
    if (value.isTensor()) {
        result.kind = Kind::Tensor;
        result.pointer = new_handle_or_null(std::move(value).toTensor());
    } else if (value.isTensorList()) {
        result = list_result(value);
    } else if (value.isBool()) {
        result.kind = Kind::Boolean;
        result.integer = value.toBool() ? 1 : 0;
    } else if (value.isInt()) {
        result.kind = Kind::Integer;
        result.integer = value.toInt();
    } else if (value.isDouble()) {
        result.kind = Kind::Real;
        result.real = value.toDouble();
    } else {
        TORCH_CHECK(value.isNone(), "a result of type ", value.tagKind(), " cannot be handed to C#");
    }
    return result;
}

int32_t call(const Operator& op, const Value* arguments, int32_t count, Value* results, int32_t capacity) {
    const auto expected = op.defaults.size();
    TORCH_CHECK(static_cast<size_t>(count) <= expected, op.handle.schema(), " was given ", count, " arguments");
    torch::jit::Stack stack;
    stack.reserve(expected);
    for (int32_t i = 0; i < count; ++i) {
        stack.push_back(to_ivalue(arguments[i]));
    }
    for (size_t i = count; i < expected; ++i) {
        stack.push_back(op.defaults[i]);
    }
    op.handle.callBoxed(stack);
    const auto given = std::min(static_cast<int32_t>(stack.size()), capacity);
    for (int32_t i = 0; i < given; ++i) {
        results[i] = to_value(std::move(stack[i]));
    }
    return given;
}

}  // namespace
}  // namespace uniscale

using namespace uniscale;

/// Finds an operator, e.g. ("aten::add", "Tensor"); lives as long as the process. Null with an error when there is none.
UNISCALE_API const void* uniscale_operator_find(const char* name, const char* overload) {
    return guarded<const void*>(nullptr, [&]() -> const void* {
        const auto found = c10::Dispatcher::singleton().findSchema({name, overload});
        TORCH_CHECK(found.has_value(), "libtorch ", TORCH_VERSION, " has no operator ", name, *overload ? "." : "", overload);
        return new Operator(*found);
    });
}

/// Calls an operator. Arguments at the end that are not given take their default values. Writes up to `capacity` results
/// and returns how many, or -1 with an error. Results that do not fit are released.
UNISCALE_API int32_t uniscale_operator_call(
    const void* op, const Value* arguments, int32_t count, Value* results, int32_t capacity) {
    return guarded<int32_t>(-1, [&] { return call(*static_cast<const Operator*>(op), arguments, count, results, capacity); });
}

/// Frees the array of a list result, not its handles.
UNISCALE_API void uniscale_free_list(void* list) { delete[] static_cast<at::Tensor**>(list); }
