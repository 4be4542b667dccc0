using TorchSharp;
using static TorchSharp.torch;

namespace Uniscale.Torch;

/// <summary>Tensors and raw memory: what TorchSharp's own interface does not offer.</summary>
public static unsafe class TensorMemory
{
    /// <summary>A contiguous tensor over host memory that the caller owns and keeps until the last tensor over it is gone.</summary>
    /// <param name="address">The first element's address.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="dtype">Element type.</param>
    public static Tensor FromPointer(nint address, ReadOnlySpan<long> shape, ScalarType dtype) => Over(address, shape, dtype, null);

    /// <summary>Address of the tensor's first element. The memory is the tensor's: keep the tensor alive while using it.</summary>
    public static nint DataPointer(Tensor tensor)
    {
        var address = (nint)NativeMethods.THSTensor_data(tensor.Handle);
        if (address == 0 && tensor.numel() > 0) CheckForErrors();
        GC.KeepAlive(tensor);
        return address;
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

    private static Tensor Over(nint address, ReadOnlySpan<long> shape, ScalarType dtype, delegate* unmanaged<void*, void> deleter)
    {
        nint handle;
        fixed (long* sizes = shape)
            handle = NativeMethods.THSTensor_new((void*)address, deleter, sizes, shape.Length, (sbyte)dtype, (sbyte)dtype, (int)DeviceType.CPU, -1, false);
        if (handle == 0) CheckForErrors();
        return Tensor.UnsafeCreateTensor(handle);
    }
}
