using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Format;

/// <summary>A tiling in format 2.</summary>
/// <param name="Shape">Shape of the tensors that are cut so.</param>
/// <param name="Parts">Each part as shard, offset in each dim, extent in each dim; by shard, and within a shard by offset.</param>
internal sealed record TilingRecord(long[] Shape, IReadOnlyList<long[]> Parts);

/// <summary>A tensor in format 2.</summary>
/// <param name="Name">Global name.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Tiling">How it is cut: index into the manifest's tilings.</param>
internal sealed record TensorRecord2(string Name, ElementType Type, int Tiling);

/// <summary>
/// Format 2: tensors that are cut alike share a tiling, places in the files follow from the tilings, and digests lie in the files. So a
/// manifest grows with the
/// number of files and of tensors, not with their product.
/// </summary>
internal sealed record StoredManifest2 : StoredManifest
{
    public required IReadOnlyList<ShardRecord> Shards { get; init; }

    public required IReadOnlyList<TilingRecord> Tilings { get; init; }

    public required IReadOnlyList<TensorRecord2> Tensors { get; init; }

    private ILookup<int, ShardRecord> ShardsOfFile => field ??= Shards.ToLookup(shard => shard.File);

    // Made while they are proved.
    private Tiling[] Cuts => field ??= new Tiling[Tilings.Count];

    public override string? Broken()
    {
        if (this is { Shards: null } or { Tilings: null } or { Tensors: null })
            return "a field is null";
        return ManifestRules.Broken(this)
            ?? Shards.Select(BrokenShard).FirstOrDefault(problem => problem is not null)
            ?? Files.Select((file, index) => Uncovered(file, index)).FirstOrDefault(problem => problem is not null)
            ?? Tilings.Select(BrokenTiling).FirstOrDefault(problem => problem is not null)
            ?? Tensors.Select(BrokenTensor).FirstOrDefault(problem => problem is not null)
            ?? ManifestRules.Doubled(Tensors.Select(tensor => tensor.Name), "tensor");
    }

    public override CheckpointManifest ToManifest() =>
        ToManifest(
            [.. Tensors.Select(tensor => new TensorRecord(tensor.Name, tensor.Type, Tilings[tensor.Tiling].Shape))],
            new TiledParts(Files, Shards, Cuts, [.. Tensors.Select(tensor => (tensor.Type, tensor.Tiling))], ChunkBytes)
        );

    private string? BrokenShard(ShardRecord? shard)
    {
        if (shard is null || shard.File < 0 || shard.File >= Files.Count)
            return $"a shard lies in file {shard?.File} of {Files.Count}";
        return shard.SizeBytes < 0 || shard.Digest is null or not { Length: Digest.Length }
            ? $"a shard of file '{Files[shard.File].Name}' has {shard.SizeBytes} bytes and the digest '{shard.Digest}'"
            : null;
    }

    // Header and shards follow one another and make the file up, so that digests cover every byte.
    private string? Uncovered(FileRecord file, int index)
    {
        Int128 end = file.HeaderBytes;
        foreach (var shard in ShardsOfFile[index])
        {
            if (shard.Start != end)
                return $"a shard of file '{file.Name}' begins at byte {shard.Start}, what is before it ends at {end}";
            end += shard.SizeBytes;
        }
        return end == file.SizeBytes ? null : $"file '{file.Name}' has {file.SizeBytes} bytes, its header and shards {end}";
    }

    private string? BrokenTiling(TilingRecord? tiling, int index)
    {
        if (tiling is null or { Shape: null } or { Parts: null } || !ManifestRules.IsShape(tiling.Shape, elementBytes: 1))
            return $"tiling {index} has no parts or the shape {(tiling?.Shape is { } shape ? Box.Show(shape) : "")}";
        long last = 0;
        foreach (long[]? part in tiling.Parts)
        {
            if (part is null || part.Length != 1 + 2 * tiling.Shape.Length || part[0] < last || part[0] >= Shards.Count)
                return $"tiling {index} has a part that is not a shard from {last} to {Shards.Count - 1}, {tiling.Shape.Length} offsets and as many extents";
            last = part[0];
        }
        Cuts[index] = CutOf(tiling);
        return Cuts[index].Fault() is { } fault ? $"tiling {index}: {fault}" : null;
    }

    private string? BrokenTensor(TensorRecord2? tensor)
    {
        if (tensor is null || string.IsNullOrEmpty(tensor.Name) || tensor.Tiling < 0 || tensor.Tiling >= Tilings.Count)
            return $"tensor '{tensor?.Name}' has tiling {tensor?.Tiling} of {Tilings.Count}";
        return ManifestRules.IsShape(Tilings[tensor.Tiling].Shape, tensor.Type.SizeBytes())
            ? null
            : $"tensor '{tensor.Name}' has the shape {Box.Show(Tilings[tensor.Tiling].Shape)}";
    }

    internal static Tiling CutOf(TilingRecord record)
    {
        int[] shards = new int[record.Parts.Count];
        long[] numbers = new long[2 * record.Shape.Length * shards.Length];
        for (int part = 0; part < shards.Length; part++)
        {
            shards[part] = (int)record.Parts[part][0];
            record.Parts[part].AsSpan(1).CopyTo(numbers.AsSpan(2 * record.Shape.Length * part));
        }
        return new Tiling(record.Shape, shards, numbers);
    }
}
