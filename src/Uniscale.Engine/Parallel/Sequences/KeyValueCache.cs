using Uniscale.Programs;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>
/// Keys and values of the tokens of one sequence that a model has read, layer by layer, so that later tokens are computed alone. Its memory
/// grows with the
/// sequence.
/// </summary>
/// <param name="capacity">Tokens that fit.</param>
public sealed class KeyValueCache(int capacity) : IDisposable
{
    private readonly List<CacheRows> _layers = [];

    /// <summary>Tokens read so far, by every layer.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens that fit.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>Forgets all but the first tokens.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
    }

    /// <summary>Takes over the first tokens of another sequence, in place of its own.</summary>
    public void CopyFrom(KeyValueCache other, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, other.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Capacity);
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        Length = 0;
        for (int layer = 0; layer < other._layers.Count; layer++)
        {
            var rows = other._layers[layer];
            Append(layer, rows.Keys.narrow(1, 0, length), rows.Values.narrow(1, 0, length));
        }
        Length = length;
    }

    /// <summary>The model has gone through all its layers with so many new tokens.</summary>
    internal void Advance(int count) => Length += count;

    /// <summary>Adds the new keys and values [1, new, kvHeads, headDim] of a layer; gives those of all its tokens, as views.</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        long added = keys.size(1),
            end = Length + added;
        var room = Reserve(layer, added, keys.size(2), keys.size(3), keys.dtype, keys.device);
        room.Keys.narrow(1, Length, added).copy_(keys);
        room.Values.narrow(1, Length, added).copy_(values);
        return (room.Keys.narrow(1, 0, end), room.Values.narrow(1, 0, end));
    }

    /// <summary>Room for all tokens and so many new ones of a layer, whose keys and values are the caller's to write.</summary>
    /// <exception cref="InvalidOperationException">They do not fit.</exception>
    internal CacheRows Reserve(int layer, long added, long kvHeads, long headDim, ScalarType type, Device device)
    {
        long end = Length + added;
        if (end > Capacity)
            throw new InvalidOperationException($"{Length} tokens and {added} more do not fit into a cache of {Capacity}.");
        if (layer < _layers.Count)
        {
            _layers[layer].Check(kvHeads, headDim, type);
            if (_layers[layer].Tokens >= end)
                return _layers[layer];
        }
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        long[] shape = [1, CacheRoom.For(end, Capacity), kvHeads, headDim];
        var rows = new CacheRows(New(shape, type, device), New(shape, type, device));
        if (layer == _layers.Count)
            _layers.Add(rows);
        else
        {
            using var old = _layers[layer];
            _layers[layer] = rows;
            rows.Keys.narrow(1, 0, Length).copy_(old.Keys.narrow(1, 0, Length));
            rows.Values.narrow(1, 0, Length).copy_(old.Values.narrow(1, 0, Length));
        }
        return rows;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var layer in _layers)
            layer.Dispose();
        _layers.Clear();
    }

    private static Tensor New(long[] shape, ScalarType type, Device device) => empty(shape, type, device).DetachFromDisposeScope();
}

/// <summary>Keys and values of a layer: room for the tokens of a sequence, [1, tokens, kvHeads, headDim].</summary>
internal sealed class CacheRows(Tensor keys, Tensor values) : IDisposable
{
    private readonly long _kvHeads = keys.size(2),
        _headDim = keys.size(3);
    private readonly ScalarType _type = keys.dtype;

    public Tensor Keys { get; } = keys;

    public Tensor Values { get; } = values;

    /// <summary>Tokens that fit.</summary>
    public long Tokens { get; } = keys.size(1);

    /// <summary>Where the keys lie, and the values.</summary>
    public (nint Keys, nint Values) Addresses { get; } = (TensorMemory.DataPointer(keys), TensorMemory.DataPointer(values));

    /// <summary>What is written as raw memory must be of the same kind as what lies there.</summary>
    /// <exception cref="InvalidOperationException">It is not.</exception>
    public void Check(long kvHeads, long headDim, ScalarType type)
    {
        if ((_kvHeads, _headDim, _type) != (kvHeads, headDim, type))
            throw new InvalidOperationException(
                $"A cache of {_kvHeads} heads of {_headDim} in {_type} cannot take {kvHeads} heads of {headDim} in {type}."
            );
    }

    public void Dispose()
    {
        Keys.Dispose();
        Values.Dispose();
    }
}
