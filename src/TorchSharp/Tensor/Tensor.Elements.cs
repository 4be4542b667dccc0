using System.Runtime.InteropServices;
using TorchSharp.Native;
using TorchSharp.Utils;

namespace TorchSharp;

public static partial class torch
{
    public partial class Tensor
    {
        /// <summary>The memory of a contiguous tensor on the CPU.</summary>
        public unsafe Span<byte> bytes
        {
            get
            {
                if (!is_cpu() || !is_contiguous())
                    throw new InvalidOperationException("The bytes of a tensor can be had when it is on the CPU and contiguous.");
                return new Span<byte>(DataPointer(), checked((int)(numel() * element_size())));
            }

            set
            {
                var target = bytes;
                if (value.Length != target.Length)
                    throw new ArgumentException($"{value.Length} bytes were given for a tensor of {target.Length} bytes.");
                value.CopyTo(target);
            }
        }

        /// <summary>The elements, in the tensor's own memory; its type must be T's.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged => new(Accessible<T>());

        /// <summary>The memory that the tensor is a view of.</summary>
        public Storage<T> storage<T>() where T : unmanaged => new(Accessible<T>());

        /// <summary>The only element; its type must be T's.</summary>
        public T item<T>() where T : unmanaged
        {
            if (numel() != 1)
                throw new ArgumentException($"Only a tensor of one element is an item; this has {numel()}.");
            if (is_cpu())
                return ReadCpuValue<T>(0);
            using var copy = cpu();
            return copy.ReadCpuValue<T>(0);
        }

        /// <summary>The only element as a scalar.</summary>
        public Scalar ToScalar() => Scalar.Of(Aten.item.CallValue(this));

        public bool is_nonzero() => Aten.is_nonzero.CallBool(this);

        public float ReadCpuSingle(long i) => ReadCpuValue<float>(i);

        public double ReadCpuDouble(long i) => ReadCpuValue<double>(i);

        public int ReadCpuInt32(long i) => ReadCpuValue<int>(i);

        public long ReadCpuInt64(long i) => ReadCpuValue<long>(i);

        public short ReadCpuInt16(long i) => ReadCpuValue<short>(i);

        public byte ReadCpuByte(long i) => ReadCpuValue<byte>(i);

        public sbyte ReadCpuSByte(long i) => ReadCpuValue<sbyte>(i);

        public bool ReadCpuBool(long i) => ReadCpuValue<bool>(i);

        public float ReadCpuFloat16(long i) => (float)ReadCpuValue<Half>(i);

        /// <summary>Element number i of the memory.</summary>
        public float ReadCpuBFloat16(long i)
        {
            CheckType(dtype == ScalarType.BFloat16, "bfloat16");
            return BitConverter.Int32BitsToSingle(MemoryMarshal.Cast<byte, ushort>(bytes)[(int)i] << 16);
        }

        /// <summary>Element number i of the memory of a contiguous tensor on the CPU.</summary>
        public unsafe T ReadCpuValue<T>(long i) where T : unmanaged
        {
            CheckType(dtype == ScalarTypeOf<T>(), typeof(T).Name);
            if (i < 0 || i >= numel())
                throw new ArgumentOutOfRangeException(nameof(i), i, $"The tensor has {numel()} elements.");
            var element = ((T*)DataPointer())[i];
            GC.KeepAlive(this);
            return element;
        }

        internal unsafe void* DataPointer() => (void*)Errors.NotNull((nint)NativeMethods.uniscale_tensor_data(Handle));

        private Tensor Accessible<T>() where T : unmanaged
        {
            CheckType(dtype == ScalarTypeOf<T>(), typeof(T).Name);
            return is_cpu() ? this : cpu();
        }

        private void CheckType(bool fits, string wanted)
        {
            if (!fits)
                throw new ArgumentException($"{wanted} is not compatible with {dtype}");
        }
    }

    /// <summary>libtorch's name for an element type of C#.</summary>
    internal static ScalarType ScalarTypeOf<T>() where T : unmanaged =>
        typeof(T) == typeof(float) ? ScalarType.Float32
        : typeof(T) == typeof(double) ? ScalarType.Float64
        : typeof(T) == typeof(long) ? ScalarType.Int64
        : typeof(T) == typeof(int) ? ScalarType.Int32
        : typeof(T) == typeof(short) ? ScalarType.Int16
        : typeof(T) == typeof(byte) ? ScalarType.Byte
        : typeof(T) == typeof(sbyte) ? ScalarType.Int8
        : typeof(T) == typeof(bool) ? ScalarType.Bool
        : typeof(T) == typeof(Half) ? ScalarType.Float16
        : throw new ArgumentException($"{typeof(T).Name} is not an element type of tensors.");
}
