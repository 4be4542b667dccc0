using System.Collections;
using TorchSharp.Native;

namespace TorchSharp;

public static partial class torch
{
    /// <summary>The flat memory that one or more tensors are views of.</summary>
    public abstract class Storage
    {
        private readonly Tensor _tensor;

        private protected Storage(Tensor tensor) => _tensor = tensor;

        /// <summary>Bytes of an element.</summary>
        public abstract int element_size();

        /// <summary>The first byte's address.</summary>
        public unsafe IntPtr data_ptr()
        {
            var address = (nint)NativeMethods.uniscale_tensor_storage_data(_tensor.Handle);
            GC.KeepAlive(_tensor);
            return address;
        }

        public ulong nbytes()
        {
            var bytes = NativeMethods.uniscale_tensor_storage_bytes(_tensor.Handle);
            GC.KeepAlive(_tensor);
            return (ulong)bytes;
        }
    }

    /// <summary>The flat memory of tensors of one type.</summary>
    public sealed class Storage<T> : Storage, IEnumerable<T> where T : unmanaged
    {
        internal Storage(Tensor tensor) : base(tensor)
        {
        }

        /// <summary>Elements, also those outside the tensor that the storage was had from.</summary>
        public int Count => checked((int)(nbytes() / (ulong)element_size()));

        public unsafe T this[int index]
        {
            get => Elements[index];
            set => Elements[index] = value;
        }

        private unsafe Span<T> Elements => new((void*)data_ptr(), Count);

        public override unsafe int element_size() => sizeof(T);

        public T[] ToArray() => Elements.ToArray();

        public void fill_(T value) => Elements.Fill(value);

        public IEnumerator<T> GetEnumerator()
        {
            for (var i = 0; i < Count; i++)
                yield return this[i];
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
