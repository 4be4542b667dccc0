// Gradients: backward and grad, and an autograd node whose backward is a function of C#.
#include "torch/bridge.h"
#include "torch/nodes.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <stdexcept>
#include <vector>

namespace uniscale {
namespace {

using torch::autograd::SavedVariable;

/// Computes the gradients of a node in C#. Takes new handles (null for an absent gradient), writes new handles (null for
/// none), one for each tensor that forward was given. Returns -1 after `uniscale_set_error` when it failed.
using ApplyCallback = int32_t (*)(void* owner, at::Tensor** gradients, int32_t count, at::Tensor** results, int32_t capacity);

/// Tells C# that the node is gone.
using ReleaseCallback = void (*)(void* owner);

ApplyCallback apply_callback = nullptr;
ReleaseCallback release_callback = nullptr;

variable_list list_of(at::Tensor* const* handles, int32_t count) {
    variable_list list;
    list.reserve(count);
    for (int32_t i = 0; i < count; ++i) {
        list.push_back(tensor_of(handles[i]));
    }
    return list;
}

TensorSet set_of(at::Tensor* const* handles, int32_t count) {
    TensorSet set;
    for (int32_t i = 0; i < count; ++i) {
        set.insert(handles[i]->unsafeGetTensorImpl());
    }
    return set;
}

/// A function of C# in the graph. Owns what forward saved, so that releasing the graph releases it.
class ManagedNode : public Node {
public:
    explicit ManagedNode(void* owner, std::string name) : owner_(owner), name_(std::move(name)) {}

    ~ManagedNode() override { release_callback(owner_); }

    std::string name() const override { return name_; }

    void save(const variable_list& tensors) {
        saved_.clear();
        for (const auto& tensor : tensors) {
            const bool is_output = tensor.defined() && tensor.grad_fn().get() == this;
            saved_.emplace_back(tensor, is_output);
        }
    }

    variable_list saved() {
        TORCH_CHECK(!released_, torch::autograd::ERR_BACKWARD_TWICE);
        variable_list tensors;
        for (const auto& variable : saved_) {
            tensors.push_back(variable.unpack(self_of(*this)));
        }
        return tensors;
    }

    void set_materialize_gradients(bool value) { materialize_ = value; }

    void release_variables() override {
        std::lock_guard<std::mutex> lock(mutex_);
        saved_.clear();
        released_ = true;
    }

protected:
    variable_list apply(variable_list&& gradients) override {
        std::lock_guard<std::mutex> lock(mutex_);
        std::vector<at::Tensor*> inputs(gradients.size());
        for (size_t i = 0; i < gradients.size(); ++i) {
            const bool materialize = !gradients[i].defined() && materialize_;
            inputs[i] = new_handle_or_null(materialize ? input_metadata(i).zeros_like() : std::move(gradients[i]));
        }
        std::vector<at::Tensor*> results(num_outputs(), nullptr);
        const auto status = apply_callback(
            owner_, inputs.data(), static_cast<int32_t>(inputs.size()), results.data(), static_cast<int32_t>(results.size()));
        variable_list outputs;
        outputs.reserve(results.size());
        for (auto* handle : results) {
            outputs.push_back(tensor_of(handle));
            if (handle != nullptr) {
                uniscale_release(handle);
            }
        }
        if (status < 0) {
            throw std::runtime_error(last_error());
        }
        return outputs;
    }

private:
    static void uniscale_release(at::Tensor* handle) {
        live_handles.fetch_sub(1, std::memory_order_relaxed);
        delete handle;
    }

    void* owner_;
    std::string name_;
    std::vector<SavedVariable> saved_;
    bool materialize_ = true;
    bool released_ = false;
};

using ManagedPointer = NodePointer<ManagedNode>;

}  // namespace
}  // namespace uniscale

using namespace uniscale;

/// Gives the functions of C# that nodes call. Once, before any node.
UNISCALE_API void uniscale_autograd_callbacks(ApplyCallback apply, ReleaseCallback release) {
    apply_callback = apply;
    release_callback = release;
}

/// Gradients of `outputs` with respect to `inputs`; writes a new handle for each input, null for an unused one.
UNISCALE_API int32_t uniscale_autograd_grad(
    at::Tensor* const* outputs, int32_t output_count, at::Tensor* const* inputs, int32_t input_count,
    at::Tensor* const* gradients, int32_t gradient_count, int32_t retain_graph, int32_t create_graph, int32_t allow_unused,
    at::Tensor** results) {
    return guarded<int32_t>(-1, [&] {
        auto computed = torch::autograd::grad(
            list_of(outputs, output_count), list_of(inputs, input_count), list_of(gradients, gradient_count),
            retain_graph != 0, create_graph != 0, allow_unused != 0);
        for (int32_t i = 0; i < input_count; ++i) {
            results[i] = new_handle_or_null(std::move(computed[i]));
        }
        return 0;
    });
}

/// Accumulates gradients into the leaves, or into `inputs` alone when there are any.
UNISCALE_API int32_t uniscale_autograd_backward(
    at::Tensor* const* tensors, int32_t tensor_count, at::Tensor* const* gradients, int32_t gradient_count,
    int32_t retain_graph, int32_t create_graph, at::Tensor* const* inputs, int32_t input_count) {
    return guarded<int32_t>(-1, [&] {
        torch::autograd::backward(
            list_of(tensors, tensor_count), list_of(gradients, gradient_count), retain_graph != 0, create_graph != 0,
            list_of(inputs, input_count));
        return 0;
    });
}

/// A node that calls back with `owner`. Freed by `uniscale_node_free`; the graph may keep it longer.
UNISCALE_API void* uniscale_node_new(void* owner, const char* name) {
    return guarded<void*>(nullptr, [&]() -> void* {
        return new ManagedPointer(make_node<ManagedNode>(owner, name));
    });
}

UNISCALE_API void uniscale_node_free(void* node) { delete static_cast<ManagedPointer*>(node); }

/// The node's address for `uniscale_node_saved` and the like while it is alive.
UNISCALE_API void* uniscale_node_address(void* node) { return static_cast<ManagedPointer*>(node)->get(); }

/// Ties the node to where its inputs come from. Before forward runs.
UNISCALE_API int32_t uniscale_node_connect(void* node, at::Tensor* const* inputs, int32_t count) {
    return guarded<int32_t>(-1, [&] {
        auto& target = **static_cast<ManagedPointer*>(node);
        target.set_next_edges(torch::autograd::collect_next_edges(list_of(inputs, count)));
        target.clear_input_metadata();
        return 0;
    });
}

/// Ties forward's outputs to the node (null: no gradient wanted) and writes handles on them: the given one where the output was tied as
/// it is, otherwise a new one.
UNISCALE_API int32_t uniscale_node_wrap(
    void* node, at::Tensor* const* inputs, int32_t input_count, at::Tensor* const* constant, int32_t constant_count,
    at::Tensor* const* dirty, int32_t dirty_count, at::Tensor* const* outputs, int32_t output_count, at::Tensor** results) {
    return guarded<int32_t>(-1, [&] {
        const auto dirty_set = set_of(dirty, dirty_count);
        for (auto* changed : dirty_set) {
            changed->bump_version();
        }
        const auto wrapped = wrap_outputs(
            list_of(inputs, input_count), set_of(constant, constant_count), dirty_set, list_of(outputs, output_count),
            node == nullptr ? ManagedPointer() : *static_cast<ManagedPointer*>(node));
        for (int32_t i = 0; i < output_count; ++i) {
            const bool as_it_is = outputs[i] != nullptr && wrapped[i].has_value() && wrapped[i]->is_same(*outputs[i]) &&
                                  dirty_set.count(outputs[i]->unsafeGetTensorImpl()) == 0;
            results[i] = as_it_is ? outputs[i] : wrapped[i].has_value() ? new_handle_or_null(*wrapped[i]) : nullptr;
        }
        return 0;
    });
}

/// Keeps tensors for backward, after the outputs are wrapped.
UNISCALE_API int32_t uniscale_node_save(void* node, at::Tensor* const* tensors, int32_t count, int32_t materialize) {
    return guarded<int32_t>(-1, [&] {
        auto& target = **static_cast<ManagedPointer*>(node);
        target.save(list_of(tensors, count));
        target.set_materialize_gradients(materialize != 0);
        return 0;
    });
}

/// The tensors kept, as new handles (null for an undefined one); fails when one was changed in place since, or after release.
UNISCALE_API int32_t uniscale_node_saved(void* address, at::Tensor** results) {
    return guarded<int32_t>(-1, [&] {
        auto tensors = static_cast<ManagedNode*>(address)->saved();
        for (size_t i = 0; i < tensors.size(); ++i) {
            results[i] = new_handle_or_null(std::move(tensors[i]));
        }
        return 0;
    });
}
