// Where the releases of libtorch differ in how autograd nodes are held and how outputs are tied to them.
#pragma once

#include "torch/bridge.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function.h>

#include <tuple>
#include <unordered_set>
#include <utility>
#include <vector>

// The releases with this header hold nodes by intrusive pointers, the others by shared ones.
#if __has_include(<torch/csrc/autograd/node.h>)
#define UNISCALE_INTRUSIVE_NODES
#else
#include <memory>
#endif

namespace uniscale {

using torch::autograd::Node;
using torch::autograd::variable_list;
using TensorSet = std::unordered_set<at::TensorImpl*>;

#ifdef UNISCALE_INTRUSIVE_NODES

template <class T>
using NodePointer = c10::intrusive_ptr<T>;

template <class T, class... Arguments>
NodePointer<T> make_node(Arguments&&... arguments) {
    return c10::make_intrusive<T>(std::forward<Arguments>(arguments)...);
}

inline NodePointer<Node> self_of(Node& node) { return node.getptr(); }

#else

template <class T>
using NodePointer = std::shared_ptr<T>;

// With libtorch's own deleter, which releases a deep graph without a deep recursion.
template <class T, class... Arguments>
NodePointer<T> make_node(Arguments&&... arguments) {
    return NodePointer<T>(new T(std::forward<Arguments>(arguments)...), torch::autograd::deleteNode);
}

inline NodePointer<Node> self_of(Node& node) { return node.shared_from_this(); }

template <class Function, class Tuple, size_t... Index>
auto call_first(Function function, Tuple& arguments, std::index_sequence<Index...>) {
    return function(std::get<Index>(arguments)...);
}

/// Calls a function with as many of the arguments as it takes: this one grew parameters at the end.
template <class Result, class... Parameters, class... Arguments>
Result call_fitting(Result (*function)(Parameters...), Arguments&&... arguments) {
    auto all = std::forward_as_tuple(std::forward<Arguments>(arguments)...);
    return call_first(function, all, std::make_index_sequence<sizeof...(Parameters)>());
}

#endif

/// The outputs of forward, tied to the node (or to nothing, when no gradient is wanted).
inline std::vector<Optional<at::Tensor>> wrap_outputs(
    const variable_list& inputs, const TensorSet& constant, const TensorSet& dirty, const variable_list& outputs,
    const NodePointer<Node>& node) {
    const auto no_forward_mode = [](const variable_list&, const variable_list&) -> variable_list {
        TORCH_CHECK(false, "functions of C# have no forward-mode derivative");
    };
    const auto view_as_self = [](const at::Tensor& tensor) { return tensor.view_as(tensor); };
    const std::vector<Optional<at::Tensor>> raw(outputs.begin(), outputs.end());
#ifdef UNISCALE_INTRUSIVE_NODES
    NodePointer<Node> attached;
    return torch::autograd::_wrap_outputs(
        inputs, constant, dirty, raw, node, no_forward_mode, TensorSet(), view_as_self, false, attached);
#else
    return call_fitting(
        torch::autograd::_wrap_outputs, inputs, constant, dirty, raw, node, no_forward_mode, TensorSet(), view_as_self, false);
#endif
}

}  // namespace uniscale
