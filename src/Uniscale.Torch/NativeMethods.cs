using System.Runtime.InteropServices;

namespace Uniscale.Torch;

/// <summary>
/// Functions of TorchSharp's native library that its own interface keeps to itself (TorchSharp 0.107, src/Native/LibTorchSharp). Handles
/// are
/// addresses of <c>at::Tensor</c>. They leave an error of libtorch for <c>torch.CheckForErrors</c>.
/// </summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "LibTorchSharp",
        Memory = "uniscale_memory";

    /// <summary>A tensor over memory; the deleter, which may be null, is given the memory when the last tensor over it is gone.</summary>
    [LibraryImport(Library)]
    internal static partial nint THSTensor_new(
        void* memory,
        delegate* unmanaged<void*, void> deleter,
        long* sizes,
        int dims,
        sbyte memoryType,
        sbyte type,
        int deviceType,
        int deviceIndex,
        [MarshalAs(UnmanagedType.U1)] bool requiresGrad
    );

    [LibraryImport(Library)]
    internal static partial void* THSTensor_data(nint handle);

    [LibraryImport(Library)]
    internal static partial nint THSTensor_alias(nint handle);

    [LibraryImport(Library)]
    internal static partial void THSTensor_dispose(nint handle);

    [LibraryImport(Library)]
    internal static partial nint THSTensor_grad(nint handle);

    [LibraryImport(Library)]
    internal static partial void THSTensor_set_grad(nint handle, nint gradient);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_setGrad([MarshalAs(UnmanagedType.U1)] bool enabled);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_backward(
        nint* tensors,
        long tensorCount,
        nint* gradients,
        long gradientCount,
        [MarshalAs(UnmanagedType.U1)] bool retainGraph,
        [MarshalAs(UnmanagedType.U1)] bool createGraph,
        nint* inputs,
        long inputCount
    );

    /// <summary>
    /// A node that calls <paramref name="apply"/> in backward and <paramref name="deleted"/> when nothing refers to it any more.
    /// </summary>
    [LibraryImport(Library)]
    internal static partial NodePointers THSAutograd_CSharpNode_ctor(nint apply, nint deleted);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_disposeSharedPtr(NodePointers node);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_disposeWeakPtr(NodePointers node);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_setNextEdges(
        NodePointers node,
        HandleArray inputs,
        [MarshalAs(UnmanagedType.U1)] bool records
    );

    [LibraryImport(Library)]
    internal static partial void THSAutograd_CSharpNode_clearInputMetadata(NodePointers node);

    /// <summary>Ties outputs to the node; new handles on them go where <paramref name="allocate"/> says.</summary>
    [LibraryImport(Library)]
    internal static partial void THSAutograd_Function_wrapOutputs(
        HandleArray inputs,
        HandleArray constant,
        HandleArray dirty,
        HandleArray outputs,
        NodePointers node,
        delegate* unmanaged<nuint, nint*> allocate
    );

    [LibraryImport(Library)]
    internal static partial nint THSAutograd_SavedVariable_ctor(
        nint handle,
        NodePointers node,
        [MarshalAs(UnmanagedType.U1)] bool changedInPlace
    );

    [LibraryImport(Library)]
    internal static partial nint THSAutograd_SavedVariable_unpack(nint saved, NodePointers node);

    [LibraryImport(Library)]
    internal static partial void THSAutograd_SavedVariable_dispose(nint saved);

    /// <summary>Memory for a tensor, on a cache line; null: there is not enough.</summary>
    [LibraryImport(Memory)]
    internal static partial void* uniscale_memory_take(nuint bytes);

    /// <summary>Bytes of memory that was given back and is kept.</summary>
    [LibraryImport(Memory)]
    internal static partial nuint uniscale_memory_cached();

    /// <summary>The function that gives memory back.</summary>
    [LibraryImport(Memory)]
    internal static partial delegate* unmanaged<void*, void> uniscale_memory_giver();
}

/// <summary>A shared and a weak pointer to a node.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct NodePointers
{
    public readonly nint Shared;
    public readonly nint Weak;
}

/// <summary>Handles in a row.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly unsafe struct HandleArray(nint* handles, long count)
{
    public readonly nint* Handles = handles;
    public readonly long Count = count;
}
