using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        public long Dimensions => dim();

        public long ndim => dim();

        public long NumberOfElements => numel();

        public long ElementSize => element_size();

        public ScalarType dtype => (ScalarType)NativeMethods.uniscale_tensor_dtype(Handle);

        public DeviceType device_type => (DeviceType)NativeMethods.uniscale_tensor_device_type(Handle);

        public int device_index => NativeMethods.uniscale_tensor_device_index(Handle);

        public Device device => device_type == DeviceType.CPU ? CPU : new Device(device_type, device_index);

        public long[] shape => size();

        public bool is_cuda => device_type == DeviceType.CUDA;

        public bool is_meta => device_type == DeviceType.META;

        public bool is_leaf => Read(NativeMethods.uniscale_tensor_is_leaf(Handle)) != 0;

        public long dim() => NativeMethods.uniscale_tensor_dim(Handle);

        public long numel() => NativeMethods.uniscale_tensor_numel(Handle);

        /// <summary>Bytes of an element.</summary>
        public long element_size() => NativeMethods.uniscale_tensor_element_size(Handle);

        public unsafe long[] size() => Read(new ReadOnlySpan<long>(NativeMethods.uniscale_tensor_sizes(Handle), (int)dim()).ToArray());

        public unsafe long size(int dim)
        {
            // Without an array: this is asked for at every kernel.
            var sizes = NativeMethods.uniscale_tensor_sizes(Handle);
            return Read(sizes[Wrapped(dim)]);
        }

        public unsafe long[] stride()
        {
            var strides = NativeMethods.uniscale_tensor_strides(Handle);
            if (strides is null && dim() > 0)
                Errors.Throw();
            return Read(new ReadOnlySpan<long>(strides, (int)dim()).ToArray());
        }

        public long stride(int dim) => stride()[Wrapped(dim)];

        public long storage_offset() => Read(NativeMethods.uniscale_tensor_storage_offset(Handle));

        public bool is_contiguous() => NativeMethods.uniscale_tensor_is_contiguous(Handle) != 0;

        public bool is_cpu() => device_type == DeviceType.CPU;

        public bool is_floating_point() => torch.is_floating_point(dtype);

        public bool is_integral() => torch.is_integral(dtype);

        public bool is_complex() => torch.is_complex(dtype);

        /// <summary>Shape, type and device in a line.</summary>
        public override string ToString() =>
            IsInvalid ? "[disposed]" : $"[{string.Join('x', shape)}], type = {dtype}, device = {device}";

        // Keeps the tensor alive until what was read of it is there.
        private T Read<T>(T value)
        {
            GC.KeepAlive(this);
            return value;
        }

        private int Wrapped(int dim)
        {
            var count = (int)ndim;
            if (dim < -count || dim >= count)
                throw new ArgumentOutOfRangeException(nameof(dim), dim, $"The tensor has {count} dims.");
            return dim < 0 ? dim + count : dim;
        }
    }

    public static long numel(Tensor input) => input.numel();

    public static bool is_floating_point(Tensor input) => input.is_floating_point();

    public static bool is_floating_point(ScalarType type) =>
        type is ScalarType.Float16 or ScalarType.Float32 or ScalarType.Float64 or ScalarType.BFloat16;

    public static bool is_integral(Tensor t) => t.is_integral();

    public static bool is_integral(ScalarType type) =>
        type is ScalarType.Byte or ScalarType.Int8 or ScalarType.Int16 or ScalarType.Int32 or ScalarType.Int64 or ScalarType.Bool;

    public static bool is_complex(Tensor input) => input.is_complex();

    public static bool is_complex(ScalarType type) => type is ScalarType.ComplexFloat32 or ScalarType.ComplexFloat64;
}
