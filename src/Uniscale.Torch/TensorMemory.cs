using TorchSharp;
using static TorchSharp.torch;

namespace Uniscale.Torch;

/// <summary>Tensors and raw memory: what TorchSharp's own interface does not offer.</summary>
public static unsafe class TensorMemory
{
    /// <summary>Below it glibc keeps memory by itself.</summary>
    private const long SmallestKept = 64 << 10;

    private static readonly delegate* unmanaged<void*, void> Giver = NativeMethods.uniscale_memory_giver();

    /// <summary>Bytes of freed tensors that this process keeps for the next ones of their sizes.</summary>
    public static long CachedBytes => (long)NativeMethods.uniscale_memory_cached();

    /// <summary>A contiguous tensor over host memory that the caller owns and keeps until the last tensor over it is gone.</summary>
    /// <param name="address">The first element's address.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="dtype">Element type.</param>
    public static Tensor FromPointer(nint address, ReadOnlySpan<long> shape, ScalarType dtype) => Over(address, shape, dtype, null);

    /// <summary>
    /// A tensor whose elements are not set, for results of kernels. On the CPU its memory comes from a caching allocator: glibc
    /// maps and clears large blocks anew each time (docs/explanation/performance.md#caching-allocator).
    /// </summary>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public static Tensor Empty(ReadOnlySpan<long> shape, ScalarType dtype, Device? device = null)
    {
        long bytes = ElementBytes(dtype);
        foreach (long size in shape)
            bytes *= size;
        if (device is { type: not DeviceType.CPU } || bytes < SmallestKept)
            return empty(shape, dtype, device);
        void* memory = NativeMethods.uniscale_memory_take((nuint)bytes);
        return memory == null
            ? throw new OutOfMemoryException($"There is not enough memory for a tensor of {bytes} bytes.")
            : Over((nint)memory, shape, dtype, Giver);
    }

    /// <summary>The same with the shape of another tensor, and its element type unless one is given.</summary>
    public static Tensor EmptyLike(Tensor tensor, ScalarType? dtype = null)
    {
        Span<long> shape = stackalloc long[(int)tensor.dim()];
        for (int i = 0; i < shape.Length; i++)
            shape[i] = tensor.size(i);
        return Empty(shape, dtype ?? tensor.dtype, tensor.device_type == DeviceType.CPU ? null : tensor.device);
    }

    /// <summary>
    /// A tensor of zeros in such memory, for what lives as long as the run: buffers of megabytes lie on huge pages, which libtorch's own
    /// allocator on the CPU
    /// does not ask for.
    /// </summary>
    /// <exception cref="OutOfMemoryException">There is not enough memory.</exception>
    public static Tensor Zeros(ReadOnlySpan<long> shape, ScalarType dtype, Device? device = null)
    {
        var tensor = Empty(shape, dtype, device);
        // The package answers with a second handle, which would hold the memory after the first is disposed.
        tensor.zero_().Dispose();
        return tensor;
    }

    /// <summary>Address of the tensor's first element. The memory is the tensor's: keep the tensor alive while using it.</summary>
    public static nint DataPointer(Tensor tensor)
    {
        nint address = (nint)NativeMethods.THSTensor_data(tensor.Handle);
        if (address == 0 && tensor.numel() > 0)
            CheckForErrors();
        GC.KeepAlive(tensor);
        return address;
    }

    /// <summary>The elements of a contiguous tensor on the CPU as a span; the tensor must outlive it.</summary>
    public static Span<T> Elements<T>(Tensor tensor)
        where T : unmanaged
    {
        if (!tensor.is_contiguous() || tensor.device_type != DeviceType.CPU || tensor.element_size() != sizeof(T))
            throw new ArgumentException($"{tensor} has no contiguous elements of {sizeof(T)} bytes on the CPU.", nameof(tensor));
        return new Span<T>((void*)DataPointer(tensor), checked((int)tensor.numel()));
    }

    /// <summary>Copies bytes between memory that does not overlap.</summary>
    public static void Copy(nint from, nint to, long bytes) => Buffer.MemoryCopy((void*)from, (void*)to, bytes, bytes);

    /// <summary>Bytes of the tensor's elements.</summary>
    public static long ByteCount(Tensor tensor) => tensor.numel() * tensor.element_size();

    private static long ElementBytes(ScalarType type) =>
        type switch
        {
            ScalarType.Float64 or ScalarType.Int64 or ScalarType.ComplexFloat32 => 8,
            ScalarType.Float32 or ScalarType.Int32 => 4,
            ScalarType.BFloat16 or ScalarType.Float16 or ScalarType.Int16 => 2,
            ScalarType.Byte or ScalarType.Int8 or ScalarType.Bool => 1,
            _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Kernels write no tensors of this type."),
        };

    private static Tensor Over(nint address, ReadOnlySpan<long> shape, ScalarType dtype, delegate* unmanaged<void*, void> deleter)
    {
        nint handle;
        fixed (long* sizes = shape)
            handle = NativeMethods.THSTensor_new(
                (void*)address,
                deleter,
                sizes,
                shape.Length,
                (sbyte)dtype,
                (sbyte)dtype,
                (int)DeviceType.CPU,
                -1,
                false
            );
        if (handle == 0)
            CheckForErrors();
        return Tensor.UnsafeCreateTensor(handle);
    }
}
