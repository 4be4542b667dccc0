// Tensor handles: their life, what they say of themselves, and tensors over memory that somebody else owns.
#include "torch/bridge.h"

#include <ATen/Functions.h>
#include <ATen/ops/from_blob.h>

using namespace uniscale;

/// Called with the context given to `uniscale_tensor_from_blob` when the last tensor over the memory is gone.
using Deleter = void (*)(void* context);

/// Releases a handle; the tensor lives on while others refer to it.
UNISCALE_API void uniscale_tensor_free(at::Tensor* handle) {
    live_handles.fetch_sub(1, std::memory_order_relaxed);
    delete handle;
}

/// Handles not yet released, over all threads.
UNISCALE_API int64_t uniscale_live_handles() { return live_handles.load(std::memory_order_relaxed); }

/// A second handle on the same tensor.
UNISCALE_API at::Tensor* uniscale_tensor_alias(const at::Tensor* handle) { return new_handle(*handle); }

/// A tensor over memory of the caller's. `strides` may be null (contiguous); without a deleter the memory must outlive the tensor.
UNISCALE_API at::Tensor* uniscale_tensor_from_blob(
    void* memory, const int64_t* sizes, const int64_t* strides, int32_t dims, int32_t type, Deleter deleter, void* context) {
    return guarded<at::Tensor*>(nullptr, [&] {
        const auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(type));
        const at::IntArrayRef shape(sizes, dims);
        auto maker = at::for_blob(memory, shape);
        maker.options(options);
        if (strides != nullptr) {
            maker.strides(at::IntArrayRef(strides, dims));
        }
        if (deleter != nullptr) {
            maker.context(context, deleter);
        }
        return new_handle(maker.make_tensor());
    });
}

UNISCALE_API int32_t uniscale_tensor_dim(const at::Tensor* handle) { return static_cast<int32_t>(handle->dim()); }

/// Sizes, `uniscale_tensor_dim` of them; valid while the tensor lives and is not resized.
UNISCALE_API const int64_t* uniscale_tensor_sizes(const at::Tensor* handle) {
    return guarded<const int64_t*>(nullptr, [&] { return handle->sizes().data(); });
}

UNISCALE_API const int64_t* uniscale_tensor_strides(const at::Tensor* handle) {
    return guarded<const int64_t*>(nullptr, [&] { return handle->strides().data(); });
}

UNISCALE_API int64_t uniscale_tensor_numel(const at::Tensor* handle) {
    return guarded<int64_t>(-1, [&] { return handle->numel(); });
}

UNISCALE_API int32_t uniscale_tensor_dtype(const at::Tensor* handle) { return static_cast<int32_t>(handle->scalar_type()); }

UNISCALE_API int64_t uniscale_tensor_element_size(const at::Tensor* handle) {
    return static_cast<int64_t>(handle->element_size());
}

UNISCALE_API int32_t uniscale_tensor_device_type(const at::Tensor* handle) {
    return static_cast<int32_t>(handle->device().type());
}

UNISCALE_API int32_t uniscale_tensor_device_index(const at::Tensor* handle) { return handle->device().index(); }

UNISCALE_API int32_t uniscale_tensor_is_contiguous(const at::Tensor* handle) { return handle->is_contiguous() ? 1 : 0; }

UNISCALE_API int32_t uniscale_tensor_is_leaf(const at::Tensor* handle) { return handle->is_leaf() ? 1 : 0; }

UNISCALE_API int32_t uniscale_tensor_requires_grad(const at::Tensor* handle) { return handle->requires_grad() ? 1 : 0; }

UNISCALE_API int32_t uniscale_tensor_set_requires_grad(at::Tensor* handle, int32_t value) {
    return guarded<int32_t>(-1, [&] {
        handle->set_requires_grad(value != 0);
        return 0;
    });
}

UNISCALE_API int32_t uniscale_tensor_retain_grad(at::Tensor* handle) {
    return guarded<int32_t>(-1, [&] {
        handle->retain_grad();
        return 0;
    });
}

/// The accumulated gradient; null when there is none.
UNISCALE_API at::Tensor* uniscale_tensor_grad(const at::Tensor* handle) {
    return guarded<at::Tensor*>(nullptr, [&] { return new_handle_or_null(handle->grad()); });
}

UNISCALE_API void uniscale_tensor_set_grad(at::Tensor* handle, const at::Tensor* gradient) {
    handle->mutable_grad() = tensor_of(gradient);
}

/// The first element's address; null with an error for a tensor without memory.
UNISCALE_API void* uniscale_tensor_data(const at::Tensor* handle) {
    return guarded<void*>(nullptr, [&] { return handle->data_ptr(); });
}

UNISCALE_API int64_t uniscale_tensor_storage_offset(const at::Tensor* handle) {
    return guarded<int64_t>(-1, [&] { return handle->storage_offset(); });
}

UNISCALE_API void* uniscale_tensor_storage_data(const at::Tensor* handle) {
    return guarded<void*>(nullptr, [&] { return const_cast<void*>(static_cast<const void*>(handle->storage().data())); });
}

UNISCALE_API int64_t uniscale_tensor_storage_bytes(const at::Tensor* handle) {
    return guarded<int64_t>(-1, [&] { return static_cast<int64_t>(handle->storage().nbytes()); });
}

/// How many in-place changes the tensor has seen.
UNISCALE_API int64_t uniscale_tensor_version(const at::Tensor* handle) {
    return guarded<int64_t>(-1, [&] { return static_cast<int64_t>(handle->_version()); });
}
