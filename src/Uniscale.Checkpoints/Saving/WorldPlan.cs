using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// What all ranks write together, as the manifest tells it: files, shards and tilings. Rank 0 alone has it; it is made from what the ranks
/// tell of their files when
/// a plan changes, and proves that the parts make up every tensor once.
/// </summary>
internal sealed class WorldPlan
{
    private readonly FileRecord[] _files;
    private readonly (int Rank, int File, long SizeBytes)[] _shards;

    private WorldPlan(TensorTable tensors, IReadOnlyList<ShardSummary> ranks, IReadOnlyList<TilingRecord> tilings, int[] tilingOf)
    {
        WorldSize = ranks.Count;
        // Ranks that write one file follow one another in it, the first with its header.
        var files = ranks.Index().Where(rank => rank.Item.SizeBytes > 0).GroupBy(rank => rank.Item.FileName).ToArray();
        _files =
        [
            .. files.Select(writers => new FileRecord(
                writers.Key,
                writers.Sum(writer => writer.Item.SizeBytes),
                writers.First().Item.HeaderBytes,
                Convert.ToHexStringLower(writers.First().Item.HeaderDigest)
            )),
        ];
        _shards =
        [
            .. files
                .Index()
                .SelectMany(file =>
                    file.Item.Select(writer => (writer.Index, file.Index, writer.Item.SizeBytes - writer.Item.HeaderBytes))
                )
                .OrderBy(shard => shard.Item1),
        ];
        Tilings = tilings;
        Tensors = [.. tensors.Tensors.Select((tensor, index) => new TensorRecord2(tensor.Name, tensor.Type, tilingOf[index]))];
    }

    public int WorldSize { get; }

    public IReadOnlyList<TilingRecord> Tilings { get; }

    public IReadOnlyList<TensorRecord2> Tensors { get; }

    public IReadOnlyList<FileRecord> Files => _files;

    /// <summary>Bytes of all data files.</summary>
    public long TotalBytes => _files.Sum(file => file.SizeBytes);

    /// <summary>Shards of a save.</summary>
    /// <param name="tableDigests">Digest of the digests of each rank; empty where the rank writes nothing.</param>
    public IReadOnlyList<ShardRecord> Shards(IReadOnlyList<string> tableDigests)
    {
        long[] ends = [.. _files.Select(file => file.HeaderBytes)];
        var records = new ShardRecord[_shards.Length];
        foreach (var (index, (rank, file, bytes)) in _shards.Index())
        {
            records[index] = new ShardRecord(file, ends[file], bytes, tableDigests[rank]);
            ends[file] += bytes;
        }
        return records;
    }

    /// <summary>
    /// Puts together what the ranks tell; throws <see cref="CheckpointException"/> where parts of a tensor overlap or leave something out.
    /// </summary>
    /// <param name="tensors">The table that all ranks have.</param>
    /// <param name="ranks">What each rank tells.</param>
    public static WorldPlan Make(TensorTable tensors, IReadOnlyList<ShardSummary> ranks)
    {
        byte[] digest = tensors.ToDigest();
        for (int rank = 0; rank < ranks.Count; rank++)
            if (!digest.AsSpan().SequenceEqual(ranks[rank].TensorsDigest))
                throw new CheckpointException(
                    $"ranks 0 and {rank} disagree about the names, types and shapes of the tensors: they run different models or layouts"
                );
        int[] tilingOf = CutAlike(tensors, ranks);
        return new WorldPlan(tensors, ranks, Cut(tensors, ranks, tilingOf), tilingOf);
    }

    /// <summary>
    /// Numbers tensors so that two have the same number exactly where they have one shape and the same parts on every rank.
    /// </summary>
    private static int[] CutAlike(TensorTable tensors, IReadOnlyList<ShardSummary> ranks)
    {
        // The partition is refined rank by rank: those that a group holds leave those of their class that it does not hold.
        var shapes = new Dictionary<string, int>();
        int[] classOf = [.. tensors.Tensors.Select(tensor => Number(shapes, Box.Show(tensor.Shape)))];
        // For each class the one that the last group made of it.
        var refined = new List<(int Group, int Class)>(Enumerable.Repeat((-1, 0), shapes.Count));
        int number = 0;
        foreach (var group in ranks.SelectMany(rank => rank.Groups))
        {
            foreach (int tensor in group.Tensors)
            {
                int before = classOf[tensor];
                if (refined[before].Group != number)
                {
                    refined[before] = (number, refined.Count);
                    refined.Add((-1, 0));
                }
                classOf[tensor] = refined[before].Class;
            }
            number++;
        }
        var numbers = new Dictionary<int, int>();
        return [.. classOf.Select(last => Number(numbers, last))];
    }

    private static int Number<T>(Dictionary<T, int> numbers, T key)
        where T : notnull
    {
        if (!numbers.TryGetValue(key, out int number))
            numbers[key] = number = numbers.Count;
        return number;
    }

    private static TilingRecord[] Cut(TensorTable tensors, IReadOnlyList<ShardSummary> ranks, int[] tilingOf)
    {
        // One tensor speaks for all that are cut as it is.
        var firsts = tilingOf.Index().DistinctBy(tensor => tensor.Item);
        int[] speakers = [.. firsts.OrderBy(tensor => tensor.Item).Select(tensor => tensor.Index)];
        List<long[]>[] parts = [.. speakers.Select(_ => new List<long[]>())];
        int shard = 0;
        foreach (var rank in ranks.Where(rank => rank.SizeBytes > 0))
        {
            foreach (var group in rank.Groups)
                foreach (int tensor in group.Tensors)
                    if (speakers[tilingOf[tensor]] == tensor)
                        parts[tilingOf[tensor]].AddRange(group.Parts.Select(part => (long[])[shard, .. part.Offset, .. part.Shape]));
            shard++;
        }
        TilingRecord[] tilings =
        [
            .. Enumerable
                .Range(0, speakers.Length)
                .Select(tiling => new TilingRecord(tensors.Tensors[speakers[tiling]].Shape, parts[tiling])),
        ];
        foreach (var (tiling, record) in tilings.Index())
            if (StoredManifest2.CutOf(record).Fault() is { } fault)
                throw new CheckpointException($"the ranks do not hold tensor '{tensors.Tensors[speakers[tiling]].Name}' once: {fault}");
        return tilings;
    }
}
