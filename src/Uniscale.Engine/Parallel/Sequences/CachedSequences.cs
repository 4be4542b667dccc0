using Uniscale.Engine.Model;
using Uniscale.Kernels;
using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>
/// The sequences whose new tokens go through a model together, side by side in one row: [1, all new tokens]. Give it to
/// <see cref="ParallelOps.Decoding"/>; then, for each pass, <see cref="Begin"/>, run the transformer blocks in order with the positions of
/// the tokens in
/// their sequences (<see cref="MicrobatchContext.Positions"/>), and <see cref="End"/>.
/// </summary>
public sealed class CachedSequences : IDisposable
{
    private const long SmallestTable = 1024;

    private IReadOnlyList<(KeyValueCache Cache, int Count)> _sequences = [];
    private int _layer;
    private (RotaryFrequencies Frequencies, Tensor Cosine, Tensor Sine, Tensor? QueryScale)? _table;
    private RotaryAngles? _angles;
    private AttentionSequence[] _reads = [];

    /// <summary>A pass begins.</summary>
    /// <param name="sequences">What each sequence has read, and how many new tokens of it come.</param>
    public void Begin(IReadOnlyList<(KeyValueCache Cache, int Count)> sequences)
    {
        _sequences = sequences;
        _layer = 0;
        ForgetAngles();
    }

    /// <summary>All layers have read the new tokens.</summary>
    public void End()
    {
        foreach (var (cache, count) in _sequences)
            cache.Advance(count);
        ForgetAngles();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        ForgetAngles();
        ForgetTable();
    }

    /// <summary>Attention of the new tokens of the next layer; not differentiable.</summary>
    internal Tensor Attend(IKernels kernels, Tensor q, Tensor k, Tensor v)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        var keys = new SequenceKeys[_sequences.Count];
        int first = 0;
        for (int i = 0; i < keys.Length; i++)
        {
            var (cache, count) = _sequences[i];
            var (allKeys, allValues) = cache.Append(_layer, k.narrow(1, first, count), v.narrow(1, first, count));
            keys[i] = new SequenceKeys(count, allKeys, allValues);
            first += count;
        }
        _layer++;
        return kernels.AttentionOfSequences(q, keys).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// The same where queries, keys, values and result lie densely in memory, [all new tokens, heads or kvHeads, headDim].
    /// </summary>
    internal void Attend(AttentionRows rows)
    {
        if (_reads.Length != _sequences.Count)
            _reads = new AttentionSequence[_sequences.Count];
        long first = 0;
        for (int i = 0; i < _reads.Length; i++)
        {
            var (cache, count) = _sequences[i];
            var room = cache.Reserve(_layer, count, rows.KvHeads, rows.HeadDim, rows.Type, CPU);
            var (keys, values) = room.Addresses;
            nint read = (nint)(cache.Length * rows.KeyBytes),
                newKeys = (nint)(first * rows.KeyBytes),
                newQueries = (nint)(first * rows.QueryBytes);
            TensorMemory.Copy(rows.Keys + newKeys, keys + read, count * rows.KeyBytes);
            TensorMemory.Copy(rows.Values + newKeys, values + read, count * rows.KeyBytes);
            _reads[i] = new(rows.Queries + newQueries, keys, values, rows.Output + newQueries, count, cache.Length + count);
            first += count;
        }
        _layer++;
        NativeKernels.AttentionOfSequences(_reads, rows.Heads, rows.KvHeads, rows.HeadDim, rows.Type);
    }

    /// <summary>
    /// Angles of the new tokens' positions, the same for every layer of a pass. They come from a table, so that those of a position are the
    /// same bits whatever positions are asked for beside it. They last until the pass ends.
    /// </summary>
    internal RotaryAngles Angles(RotaryFrequencies frequencies, Tensor positions)
    {
        if (_angles is not null && _table?.Frequencies == frequencies)
            return _angles;
        using var scope = NewDisposeScope();
        long last = positions.max().item<long>();
        var table = Table(frequencies, last + 1, positions.device);
        var rows = positions.flatten();
        Tensor Rows(Tensor of) => of.index_select(0, rows).unsqueeze(0).unsqueeze(2).DetachFromDisposeScope();
        ForgetAngles();
        return _angles = new RotaryAngles(Rows(table.Cosine), Rows(table.Sine), table.QueryScale is { } scale ? Rows(scale) : null);
    }

    private (Tensor Cosine, Tensor Sine, Tensor? QueryScale) Table(RotaryFrequencies frequencies, long length, Device device)
    {
        if (_table is { } kept && kept.Frequencies == frequencies && kept.Cosine.size(0) >= length)
            return (kept.Cosine, kept.Sine, kept.QueryScale);
        ForgetTable();
        // A power of two, so that no position is among the last few elements, which libtorch computes by other code than the rest.
        long size = SmallestTable;
        while (size < length)
            size *= 2;
        var positions = arange(Scalars.Of(0), Scalars.Of(size), Scalars.One, int64, device).unsqueeze(0);
        var (cosine, sine) = frequencies.Angles(positions);
        var table = (
            Cosine: cosine.view(size, -1).DetachFromDisposeScope(),
            Sine: sine.view(size, -1).DetachFromDisposeScope(),
            QueryScale: frequencies.QueryScale(positions)?.view(size, -1).DetachFromDisposeScope()
        );
        _table = (frequencies, table.Cosine, table.Sine, table.QueryScale);
        return table;
    }

    private void ForgetAngles()
    {
        _angles?.Dispose();
        _angles = null;
    }

    private void ForgetTable()
    {
        _table?.Cosine.Dispose();
        _table?.Sine.Dispose();
        _table?.QueryScale?.Dispose();
        _table = null;
    }
}
