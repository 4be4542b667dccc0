using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace Uniscale.Torch;

/// <summary>
/// Tensors and raw memory: what TorchSharp's own interface does not offer. Works on <see cref="Tensor.Handle"/>, so with
/// src/TorchSharp and with the TorchSharp packages.
/// </summary>
public static unsafe class TensorMemory
{
    /// <summary>Tensor handles that C# holds in the native library, over all threads: the measure of a leak.</summary>
    public static long LiveHandleCount => NativeMethods.uniscale_live_handles();

    /// <summary>What libtorch was built with, several lines.</summary>
    public static string LibtorchConfiguration =>
        Marshal.PtrToStringUTF8((nint)NativeMethods.uniscale_torch_configuration())!;

    /// <summary>A contiguous tensor over memory that the caller owns and keeps until the last tensor over it is gone.</summary>
    /// <param name="address">The first element's address.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="dtype">Element type.</param>
    public static Tensor FromPointer(nint address, ReadOnlySpan<long> shape, ScalarType dtype) =>
        FromPointer(address, shape, [], dtype, null);

    /// <summary>A contiguous tensor over memory that belongs to <paramref name="owner"/>, which stays alive as long as a tensor refers to the memory.</summary>
    public static Tensor FromPointer(nint address, ReadOnlySpan<long> shape, ScalarType dtype, object owner) =>
        FromPointer(address, shape, [], dtype, owner);

    /// <summary>A tensor with strides (in elements; none for a contiguous one) over memory.</summary>
    public static Tensor FromPointer(nint address, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides, ScalarType dtype, object? owner = null)
    {
        if (strides.Length != 0 && strides.Length != shape.Length)
            throw new ArgumentException($"{strides.Length} strides were given for {shape.Length} sizes.", nameof(strides));
        var context = owner is null ? 0 : GCHandle.ToIntPtr(GCHandle.Alloc(owner));
        nint handle;
        fixed (long* sizes = shape, steps = strides)
        {
            handle = NativeMethods.uniscale_tensor_from_blob(
                (void*)address, sizes, steps, shape.Length, (int)dtype, owner is null ? null : &Release, context);
        }
        if (handle != 0)
            return Tensor.UnsafeCreateTensor(handle);
        if (context != 0)
            GCHandle.FromIntPtr(context).Free();
        throw NativeMethods.Failure();
    }

    /// <summary>Address of the tensor's first element. The memory is the tensor's: keep the tensor alive while using it.</summary>
    public static nint DataPointer(Tensor tensor)
    {
        var address = (nint)NativeMethods.uniscale_tensor_data(tensor.Handle);
        GC.KeepAlive(tensor);
        return address != 0 || tensor.numel() == 0 ? address : throw NativeMethods.Failure();
    }

    /// <summary>The elements of a contiguous tensor on the CPU as a span; the tensor must outlive it.</summary>
    public static Span<T> Elements<T>(Tensor tensor) where T : unmanaged
    {
        if (!tensor.is_contiguous() || tensor.device_type != DeviceType.CPU || tensor.element_size() != sizeof(T))
            throw new ArgumentException($"{tensor} has no contiguous elements of {sizeof(T)} bytes on the CPU.", nameof(tensor));
        return new Span<T>((void*)DataPointer(tensor), checked((int)tensor.numel()));
    }

    /// <summary>Bytes of the tensor's elements.</summary>
    public static long ByteCount(Tensor tensor) => tensor.numel() * tensor.element_size();

    /// <summary>How many changes in place the tensor's memory has seen, as autograd counts them.</summary>
    public static long Version(Tensor tensor)
    {
        var version = NativeMethods.uniscale_tensor_version(tensor.Handle);
        GC.KeepAlive(tensor);
        return version;
    }

    [UnmanagedCallersOnly]
    private static void Release(nint context) => GCHandle.FromIntPtr(context).Free();
}
