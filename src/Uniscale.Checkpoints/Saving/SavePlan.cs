using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// Who writes what. A pure function of every rank's slices, so that all ranks find the same plan: a slice that several ranks hold is
/// written by one of them, the largest first, by the holder with the least to write so far.
/// </summary>
internal sealed class SavePlan
{
    private readonly List<SliceKey>[] _byWriter;

    private SavePlan(List<SliceKey>[] byWriter) => _byWriter = byWriter;

    public int WorldSize => _byWriter.Length;

    /// <summary>Bytes of tensor data in the checkpoint.</summary>
    public long TotalBytes => _byWriter.Sum(keys => keys.Sum(key => key.SizeBytes));

    /// <summary>Slices that a rank writes, in the order of its file.</summary>
    public IReadOnlyList<SliceKey> Of(int rank) => _byWriter[rank];

    /// <summary>Makes the plan; throws <see cref="CheckpointException"/> where the slices of a tensor overlap, disagree or leave a part out.</summary>
    public static SavePlan Make(IReadOnlyList<IReadOnlyList<SliceKey>> byRank)
    {
        var holders = new Dictionary<string, (SliceKey Key, List<int> Ranks)>();
        for (int rank = 0; rank < byRank.Count; rank++)
        {
            foreach (var key in byRank[rank])
            {
                if (!holders.TryGetValue(key.Id, out var entry))
                    holders[key.Id] = entry = (key, []);
                if (entry.Key.Type != key.Type || !entry.Key.GlobalShape.AsSpan().SequenceEqual(key.GlobalShape))
                    throw new CheckpointException($"ranks disagree about the type or shape of tensor '{key.Name}'");
                if (entry.Ranks.LastOrDefault(-1) != rank)
                    entry.Ranks.Add(rank);
            }
        }
        foreach (var tensor in holders.Values.Select(entry => entry.Key).GroupBy(key => key.Name))
            ProveCover(tensor.Key, [.. tensor]);
        return new SavePlan(Assign(holders.Values, byRank.Count));
    }

    private static List<SliceKey>[] Assign(IEnumerable<(SliceKey Key, List<int> Ranks)> slices, int worldSize)
    {
        var byWriter = Enumerable.Range(0, worldSize).Select(_ => new List<SliceKey>()).ToArray();
        long[] load = new long[worldSize];
        var order = slices.OrderBy(slice => slice.Ranks.Count > 1).ThenByDescending(slice => slice.Key.SizeBytes)
            .ThenBy(slice => slice.Key.Id, StringComparer.Ordinal);
        foreach (var (key, ranks) in order)
        {
            int writer = ranks.MinBy(rank => (load[rank], rank));
            byWriter[writer].Add(key);
            load[writer] += key.SizeBytes;
        }
        // Wide elements first keeps every tensor of a file aligned to its element.
        foreach (var keys in byWriter)
        {
            keys.Sort((a, b) => Collectives.ElementTypes.SizeBytes(b.Type).CompareTo(Collectives.ElementTypes.SizeBytes(a.Type)) is var byWidth and not 0
                ? byWidth
                : string.CompareOrdinal(a.Id, b.Id));
        }
        return byWriter;
    }

    private static void ProveCover(string name, List<SliceKey> slices)
    {
        long[] shape = slices[0].GlobalShape;
        if (slices.Any(slice => !slice.GlobalShape.AsSpan().SequenceEqual(shape) || slice.Type != slices[0].Type))
            throw new CheckpointException($"ranks disagree about the type or shape of tensor '{name}'");
        if (slices.FirstOrDefault(slice => !slice.Box.FitsIn(shape)) is { } outside)
            throw new CheckpointException($"slice {outside.Id} does not lie within the tensor's shape {Box.Show(shape)}");
        var first = (SliceKey slice) => slice.Offset.Length == 0 ? 0 : slice.Offset[0];
        var end = (SliceKey slice) => slice.Offset.Length == 0 ? 1 : slice.Offset[0] + slice.Shape[0];
        slices.Sort((a, b) => first(a).CompareTo(first(b)));
        for (int i = 0; i < slices.Count; i++)
        {
            for (int j = i + 1; j < slices.Count && first(slices[j]) < end(slices[i]); j++)
            {
                if (slices[i].Box.Intersect(slices[j].Box).Count > 0)
                    throw new CheckpointException($"slices {slices[i].Id} and {slices[j].Id} overlap without being the same");
            }
        }
        long covered = slices.Sum(slice => slice.Box.Count);
        if (covered != Box.CountOf(shape))
            throw new CheckpointException($"the ranks hold {covered} of the {Box.CountOf(shape)} elements of tensor '{name}'; the rest would be lost");
    }
}
