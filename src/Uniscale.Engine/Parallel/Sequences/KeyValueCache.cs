using Uniscale.Programs;
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
    private readonly List<(Tensor Keys, Tensor Values)> _layers = [];

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
            var (keys, values) = other._layers[layer];
            Append(layer, keys.narrow(1, 0, length), values.narrow(1, 0, length));
        }
        Length = length;
    }

    /// <summary>The model has gone through all its layers with so many new tokens.</summary>
    internal void Advance(int count) => Length += count;

    /// <summary>Adds the new keys and values [1, new, kvHeads, headDim] of a layer; gives those of all its tokens, as views.</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor keys, Tensor values)
    {
        long end = Length + keys.size(1);
        if (end > Capacity)
            throw new InvalidOperationException($"{Length} tokens and {keys.size(1)} more do not fit into a cache of {Capacity}.");
        if (layer == _layers.Count)
            _layers.Add((Room(keys, end), Room(values, end)));
        else if (_layers[layer].Keys.size(1) < end)
            _layers[layer] = (Grown(_layers[layer].Keys, end), Grown(_layers[layer].Values, end));
        var (allKeys, allValues) = _layers[layer];
        allKeys.narrow(1, Length, keys.size(1)).copy_(keys);
        allValues.narrow(1, Length, values.size(1)).copy_(values);
        return (allKeys.narrow(1, 0, end), allValues.narrow(1, 0, end));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var (keys, values) in _layers)
        {
            keys.Dispose();
            values.Dispose();
        }
        _layers.Clear();
    }

    private Tensor Room(Tensor like, long tokens) =>
        empty([1, CacheRoom.For(tokens, Capacity), .. like.shape[2..]], like.dtype, like.device).DetachFromDisposeScope();

    private Tensor Grown(Tensor old, long tokens)
    {
        var grown = Room(old, tokens);
        grown.narrow(1, 0, Length).copy_(old.narrow(1, 0, Length));
        old.Dispose();
        return grown;
    }
}
