using System.Runtime.InteropServices;

namespace Uniscale.Torch;

/// <summary>Functions of TorchSharp's native library that its own interface keeps to itself.</summary>
internal static unsafe partial class NativeMethods
{
    private const string Library = "LibTorchSharp";

    /// <summary>A tensor over memory; the deleter, which may be null, is given the memory when the last tensor over it is gone.</summary>
    [LibraryImport(Library)]
    internal static partial nint THSTensor_new(
        void* memory, delegate* unmanaged<void*, void> deleter, long* sizes, int dims, sbyte memoryType, sbyte type, int deviceType, int deviceIndex,
        [MarshalAs(UnmanagedType.U1)] bool requiresGrad);

    [LibraryImport(Library)]
    internal static partial void* THSTensor_data(nint handle);
}
