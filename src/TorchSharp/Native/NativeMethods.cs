using System.Runtime.InteropServices;

namespace TorchSharp.Native;

/// <summary>
/// The C interface of libuniscale_torch. Functions that can fail return −1 or null and leave a message for
/// <see cref="Errors.Throw"/>. Those that only read a field of a living tensor skip the GC transition.
/// </summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "uniscale_torch";

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial byte* uniscale_error();

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial void uniscale_set_error(byte* message);

    [LibraryImport(Library)]
    internal static partial byte* uniscale_torch_version();

    [LibraryImport(Library)]
    internal static partial int uniscale_set_num_threads(int count);

    [LibraryImport(Library)]
    internal static partial int uniscale_get_num_threads();

    [LibraryImport(Library)]
    internal static partial int uniscale_set_num_interop_threads(int count);

    [LibraryImport(Library)]
    internal static partial int uniscale_get_num_interop_threads();

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_grad_enabled();

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial void uniscale_set_grad_enabled(int enabled);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_inference_mode_enabled();

    [LibraryImport(Library)]
    internal static partial nint uniscale_inference_mode_begin(int enabled);

    [LibraryImport(Library)]
    internal static partial void uniscale_inference_mode_end(nint guard);

    [LibraryImport(Library)]
    internal static partial int uniscale_set_deterministic(int enabled, int warnOnly);

    [LibraryImport(Library)]
    internal static partial int uniscale_deterministic();

    [LibraryImport(Library)]
    internal static partial int uniscale_has_cuda();

    [LibraryImport(Library)]
    internal static partial nint uniscale_generator_new(ulong seed);

    [LibraryImport(Library)]
    internal static partial nint uniscale_generator_default();

    [LibraryImport(Library)]
    internal static partial void uniscale_generator_free(nint generator);

    [LibraryImport(Library)]
    internal static partial void uniscale_generator_set_seed(nint generator, ulong seed);

    [LibraryImport(Library)]
    internal static partial ulong uniscale_generator_seed(nint generator, int renew);

    [LibraryImport(Library)]
    internal static partial nint uniscale_generator_get_state(nint generator);

    [LibraryImport(Library)]
    internal static partial int uniscale_generator_set_state(nint generator, nint state);

    [LibraryImport(Library)]
    internal static partial nint uniscale_operator_find(byte* name, byte* overload);

    [LibraryImport(Library)]
    internal static partial int uniscale_operator_call(nint op, Value* arguments, int count, Value* results, int capacity);

    [LibraryImport(Library)]
    internal static partial void uniscale_free_list(nint list);

    [LibraryImport(Library)]
    internal static partial void uniscale_tensor_free(nint handle);

    [LibraryImport(Library)]
    internal static partial nint uniscale_tensor_alias(nint handle);

    [LibraryImport(Library)]
    internal static partial nint uniscale_tensor_from_blob(
        void* memory, long* sizes, long* strides, int dims, int type, delegate* unmanaged<nint, void> deleter, nint context);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_tensor_dim(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial long* uniscale_tensor_sizes(nint handle);

    [LibraryImport(Library)]
    internal static partial long* uniscale_tensor_strides(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial long uniscale_tensor_numel(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_tensor_dtype(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial long uniscale_tensor_element_size(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_tensor_device_type(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_tensor_device_index(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_tensor_is_contiguous(nint handle);

    [LibraryImport(Library)]
    internal static partial int uniscale_tensor_is_leaf(nint handle);

    [LibraryImport(Library)]
    [SuppressGCTransition]
    internal static partial int uniscale_tensor_requires_grad(nint handle);

    [LibraryImport(Library)]
    internal static partial int uniscale_tensor_set_requires_grad(nint handle, int value);

    [LibraryImport(Library)]
    internal static partial int uniscale_tensor_retain_grad(nint handle);

    [LibraryImport(Library)]
    internal static partial nint uniscale_tensor_grad(nint handle);

    [LibraryImport(Library)]
    internal static partial void uniscale_tensor_set_grad(nint handle, nint gradient);

    [LibraryImport(Library)]
    internal static partial void* uniscale_tensor_data(nint handle);

    [LibraryImport(Library)]
    internal static partial long uniscale_tensor_storage_offset(nint handle);

    [LibraryImport(Library)]
    internal static partial void* uniscale_tensor_storage_data(nint handle);

    [LibraryImport(Library)]
    internal static partial long uniscale_tensor_storage_bytes(nint handle);

    [LibraryImport(Library)]
    internal static partial void uniscale_autograd_callbacks(
        delegate* unmanaged<nint, nint*, int, nint*, int, int> apply, delegate* unmanaged<nint, void> release);

    [LibraryImport(Library)]
    internal static partial int uniscale_autograd_grad(
        nint* outputs, int outputCount, nint* inputs, int inputCount, nint* gradients, int gradientCount,
        int retainGraph, int createGraph, int allowUnused, nint* results);

    [LibraryImport(Library)]
    internal static partial int uniscale_autograd_backward(
        nint* tensors, int tensorCount, nint* gradients, int gradientCount, int retainGraph, int createGraph,
        nint* inputs, int inputCount);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial nint uniscale_node_new(nint owner, string name);

    [LibraryImport(Library)]
    internal static partial void uniscale_node_free(nint node);

    [LibraryImport(Library)]
    internal static partial nint uniscale_node_address(nint node);

    [LibraryImport(Library)]
    internal static partial int uniscale_node_connect(nint node, nint* inputs, int count);

    [LibraryImport(Library)]
    internal static partial int uniscale_node_wrap(
        nint node, nint* inputs, int inputCount, nint* constant, int constantCount, nint* dirty, int dirtyCount,
        nint* outputs, int outputCount, nint* results);

    [LibraryImport(Library)]
    internal static partial int uniscale_node_save(nint node, nint* tensors, int count, int materialize);

    [LibraryImport(Library)]
    internal static partial int uniscale_node_saved(nint address, nint* results);
}
