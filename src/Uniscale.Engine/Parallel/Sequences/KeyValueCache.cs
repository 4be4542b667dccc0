using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>
/// Keys and values of the tokens that a model has read, layer by layer, so that generation computes only the new ones. Give it to
/// <see cref="ParallelOps.Decoding"/>, run the transformer blocks in order on the new tokens, and set
/// <see cref="Model.MicrobatchContext.Positions"/> to <see cref="Length"/>, Length + 1, …
/// </summary>
/// <param name="capacity">Tokens that fit.</param>
public sealed class KeyValueCache(int capacity) : IDisposable
{
    private readonly List<(Tensor Keys, Tensor Values)> _layers = [];
    private int _next;

    /// <summary>Tokens read so far, by every layer.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens that fit.</summary>
    public int Capacity { get; } = capacity;

    /// <summary>Forgets all but the first tokens.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length);
        Length = length;
        _next = 0;
    }

    /// <summary>The model has gone through all its layers with so many new tokens.</summary>
    public void Advance(int count)
    {
        Length += count;
        _next = 0;
    }

    public void Dispose()
    {
        foreach (var (keys, values) in _layers)
        {
            keys.Dispose();
            values.Dispose();
        }
        _layers.Clear();
    }

    /// <summary>Adds the new keys and values [batch, new, kvHeads, headDim] of the next layer; gives those of all its tokens, as views.</summary>
    internal (Tensor Keys, Tensor Values) Append(Tensor keys, Tensor values)
    {
        long count = keys.shape[1];
        if (Length + count > Capacity)
            throw new InvalidOperationException($"{Length} tokens and {count} more do not fit into a cache of {Capacity}.");
        if (_next == _layers.Count)
            _layers.Add((Room(keys), Room(values)));
        var (allKeys, allValues) = _layers[_next++];
        allKeys.narrow(1, Length, count).copy_(keys);
        allValues.narrow(1, Length, count).copy_(values);
        return (allKeys.narrow(1, 0, Length + count), allValues.narrow(1, 0, Length + count));
    }

    private Tensor Room(Tensor like) =>
        empty([like.shape[0], Capacity, .. like.shape[2..]], like.dtype, like.device).DetachFromDisposeScope();
}
