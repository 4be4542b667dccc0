using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// What one rank writes: a pure function of its own slices, so that no rank has to know what others hold. What a slice's holders hold alike
/// they share out without a
/// word, the largest first, to the one with the least so far: all of them know the same slices and their own places among the holders.
/// </summary>
internal sealed class SavePlan
{
    private readonly IReadOnlyList<StateSlice> _slices;
    private readonly IReadOnlyList<StateTensor>? _given;

    private SavePlan(IReadOnlyList<StateSlice> slices, IReadOnlyList<StateTensor>? given, TensorTable tensors, ShardContent content)
    {
        (_slices, _given) = (slices, given);
        (Tensors, Content) = (tensors, content);
    }

    /// <summary>All tensors of the checkpoint.</summary>
    public TensorTable Tensors { get; }

    /// <summary>What the rank writes.</summary>
    public ShardContent Content { get; }

    /// <summary>
    /// Makes the plan of a rank; throws <see cref="CheckpointException"/> where its slices and the tensors do not fit together.
    /// </summary>
    /// <param name="slices">What the rank holds.</param>
    /// <param name="tensors">All tensors; null: those of the slices.</param>
    /// <param name="rank">The rank.</param>
    public static SavePlan Make(IReadOnlyList<StateSlice> slices, IReadOnlyList<StateTensor>? tensors, int rank)
    {
        var table = new TensorTable(tensors ?? TensorTable.Of(slices));
        var held = slices
            .Where(slice => slice.Count > 0)
            .Select(slice => (Key: table.KeyOf(slice), slice.Holders))
            .DistinctBy(slice => slice.Key.Id);
        var written = held.GroupBy(slice => slice.Holders, HolderComparer.Instance)
            .SelectMany(group => Share([.. group.Select(slice => slice.Key)], group.Key, rank));
        return new SavePlan(slices, tensors, table, new ShardContent(written));
    }

    /// <summary>Whether the plan is that of these slices too, wherever they lie.</summary>
    public bool Fits(IReadOnlyList<StateSlice> slices, IReadOnlyList<StateTensor>? tensors)
    {
        if (_slices.Count != slices.Count || (_given is null) != (tensors is null))
            return false;
        for (int i = 0; i < slices.Count; i++)
            if (!_slices[i].IsSamePart(slices[i]))
                return false;
        return ReferenceEquals(_given, tensors)
            || _given!
                .Select(tensor => (tensor.Name, tensor.Type, Box.Show(tensor.Shape)))
                .SequenceEqual(tensors!.Select(tensor => (tensor.Name, tensor.Type, Box.Show(tensor.Shape))));
    }

    private static IEnumerable<SliceKey> Share(IReadOnlyList<SliceKey> keys, IReadOnlyList<int>? holders, int rank)
    {
        if (holders is not { Count: > 1 })
            return keys;
        int place = holders.Index().Where(holder => holder.Item == rank).Select(holder => holder.Index).FirstOrDefault(-1);
        if (place < 0)
            throw new CheckpointException($"rank {rank} is not among the holders of its slice {keys[0].Id}");
        var mine = new List<SliceKey>();
        var loads = new PriorityQueue<int, (long Bytes, int Place)>(Enumerable.Range(0, holders.Count).Select(i => (i, (0L, i))));
        foreach (var key in keys.OrderByDescending(key => key.SizeBytes).ThenBy(key => key.Id, StringComparer.Ordinal))
        {
            loads.TryDequeue(out int writer, out var load);
            loads.Enqueue(writer, (load.Bytes + key.SizeBytes, writer));
            if (writer == place)
                mine.Add(key);
        }
        return mine;
    }

    private sealed class HolderComparer : IEqualityComparer<IReadOnlyList<int>?>
    {
        public static HolderComparer Instance { get; } = new();

        public bool Equals(IReadOnlyList<int>? x, IReadOnlyList<int>? y) =>
            ReferenceEquals(x, y) || (x is not null && y is not null && x.SequenceEqual(y));

        public int GetHashCode(IReadOnlyList<int>? obj) => obj is { Count: > 0 } ? HashCode.Combine(obj.Count, obj[0], obj[^1]) : 0;
    }
}
