using System.Collections;

namespace TorchSharp.Utils;

/// <summary>The elements of a tensor on the CPU as a collection in row-major order, whatever its strides.</summary>
public sealed unsafe class TensorAccessor<T> : IDisposable, IEnumerable<T> where T : unmanaged
{
    private readonly torch.Tensor _tensor;
    private readonly T* _memory;
    private readonly long[] _sizes;
    private readonly long[] _strides;
    private readonly bool _contiguous;

    internal TensorAccessor(torch.Tensor tensor)
    {
        _tensor = tensor;
        Count = tensor.numel();
        _memory = Count == 0 ? null : (T*)tensor.DataPointer();
        _contiguous = tensor.is_contiguous();
        _sizes = tensor.shape;
        _strides = _contiguous ? [] : tensor.stride();
    }

    public long Count { get; }

    public bool IsReadOnly => false;

    /// <summary>One index counts elements in row-major order; several are one for each dim.</summary>
    public T this[params long[] indices]
    {
        get
        {
            var element = _memory[Offset(indices)];
            GC.KeepAlive(_tensor);
            return element;
        }

        set
        {
            _memory[Offset(indices)] = value;
            GC.KeepAlive(_tensor);
        }
    }

    public T[] ToArray()
    {
        var array = new T[Count];
        CopyTo(array.AsSpan());
        return array;
    }

    public void CopyTo(T[] array, int arrayIndex = 0, long tensorIndex = 0) => CopyTo(array.AsSpan(), arrayIndex, tensorIndex);

    public void CopyTo(Span<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        var target = array[arrayIndex..];
        var count = (int)Math.Min(target.Length, Count - tensorIndex);
        if (_contiguous)
        {
            new ReadOnlySpan<T>(_memory + tensorIndex, count).CopyTo(target);
        }
        else
        {
            for (var i = 0; i < count; i++)
                target[i] = _memory[StridedOffset(tensorIndex + i)];
        }
        GC.KeepAlive(_tensor);
    }

    public void CopyFrom(T[] array, int arrayIndex = 0, long tensorIndex = 0) =>
        CopyFrom(new ReadOnlySpan<T>(array), arrayIndex, tensorIndex);

    public void CopyFrom(ReadOnlySpan<T> array, int arrayIndex = 0, long tensorIndex = 0)
    {
        var source = array[arrayIndex..];
        var count = (int)Math.Min(source.Length, Count - tensorIndex);
        if (_contiguous)
        {
            source[..count].CopyTo(new Span<T>(_memory + tensorIndex, count));
        }
        else
        {
            for (var i = 0; i < count; i++)
                _memory[StridedOffset(tensorIndex + i)] = source[i];
        }
        GC.KeepAlive(_tensor);
    }

    public IEnumerator<T> GetEnumerator()
    {
        for (long i = 0; i < Count; i++)
            yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Nothing to release: the tensor keeps its memory.</summary>
    public void Dispose()
    {
    }

    private long Offset(long[] indices)
    {
        if (indices.Length == 1)
        {
            var index = indices[0];
            ArgumentOutOfRangeException.ThrowIfNegative(index, nameof(indices));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Count, nameof(indices));
            return _contiguous ? index : StridedOffset(index);
        }
        if (indices.Length != _sizes.Length)
            throw new ArgumentException($"{indices.Length} indices were given for a tensor of {_sizes.Length} dims.");
        long flat = 0;
        for (var dim = 0; dim < indices.Length; dim++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(indices[dim], nameof(indices));
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(indices[dim], _sizes[dim], nameof(indices));
            flat = (flat * _sizes[dim]) + indices[dim];
        }
        return _contiguous ? flat : StridedOffset(flat);
    }

    private long StridedOffset(long flat)
    {
        long offset = 0;
        for (var dim = _sizes.Length - 1; dim >= 0; dim--)
        {
            offset += flat % _sizes[dim] * _strides[dim];
            flat /= _sizes[dim];
        }
        return offset;
    }
}
