using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Format;

/// <summary>A part of a tensor in format 1.</summary>
/// <param name="File">Index into the manifest's files.</param>
/// <param name="Start">First byte within the file.</param>
/// <param name="Offset">First index of the part in each dim.</param>
/// <param name="Shape">Extent of the part in each dim.</param>
/// <param name="Digests">Digests of its chunks, 32 hexadecimal digits each.</param>
internal sealed record SliceRecord1(int File, long Start, long[] Offset, long[] Shape, string Digests);

/// <summary>A tensor in format 1, with its parts.</summary>
internal sealed record TensorRecord1(string Name, ElementType Type, long[] Shape, IReadOnlyList<SliceRecord1> Slices);

/// <summary>Format 1: every part of every tensor stands in the manifest, with the digests of its chunks.</summary>
internal sealed record StoredManifest1 : StoredManifest
{
    public required IReadOnlyList<TensorRecord1> Tensors { get; init; }

    public override string? Broken() =>
        Tensors is null
            ? "a field is null"
            : ManifestRules.Broken(this)
                ?? Tensors.Select(BrokenTensor).FirstOrDefault(problem => problem is not null)
                ?? ManifestRules.Doubled(Tensors.Select(tensor => tensor.Name), "tensor");

    public override CheckpointManifest ToManifest() =>
        ToManifest([.. Tensors.Select(tensor => new TensorRecord(tensor.Name, tensor.Type, tensor.Shape))], new ListedParts(Tensors));

    private string? BrokenTensor(TensorRecord1? tensor)
    {
        if (tensor is null || string.IsNullOrEmpty(tensor.Name) || tensor.Shape is null || tensor.Slices is null)
            return "a tensor has no name, shape or slices";
        if (!ManifestRules.IsShape(tensor.Shape, tensor.Type.SizeBytes()))
            return $"tensor '{tensor.Name}' has the shape {Box.Show(tensor.Shape)}";
        foreach (var slice in tensor.Slices)
            if (BrokenSlice(tensor, slice) is { } problem)
                return $"tensor '{tensor.Name}': {problem}";
        var tiling = new Tiling(
            tensor.Shape,
            [.. tensor.Slices.Select(slice => slice.File)],
            [.. tensor.Slices.SelectMany(slice => slice.Offset.Concat(slice.Shape))]
        );
        return tiling.Fault() is { } fault ? $"tensor '{tensor.Name}': {fault}" : null;
    }

    private string? BrokenSlice(TensorRecord1 tensor, SliceRecord1? slice)
    {
        if (
            slice is null or { Offset: null } or { Shape: null } or { Digests: null }
            || !new Box(slice.Offset, slice.Shape).FitsIn(tensor.Shape)
        )
            return "a slice does not lie within it";
        if (slice.File < 0 || slice.File >= Files.Count)
            return $"a slice lies in file {slice.File} of {Files.Count}";
        var (file, bytes) = (Files[slice.File], Box.CountOf(slice.Shape) * tensor.Type.SizeBytes());
        if (slice.Start < file.HeaderBytes || slice.Start > file.SizeBytes - bytes)
            return $"a slice lies at byte {slice.Start} with {bytes} bytes, its file '{file.Name}' has {file.SizeBytes}";
        long chunks = Digest.ChunkCount(bytes, ChunkBytes);
        if (slice.Digests.Length != chunks * Digest.Length)
            return $"a slice of {chunks} chunks has {slice.Digests.Length} digits of digests, not {chunks * Digest.Length}";
        return slice.Digests.All(char.IsAsciiHexDigitLower) ? null : "a slice has digests that are not hexadecimal digits";
    }

    /// <summary>Parts as the manifest lists them.</summary>
    private sealed class ListedParts(IReadOnlyList<TensorRecord1> tensors) : IPartMap
    {
        private readonly Lazy<ILookup<int, (int, StoredPart)>> _inFile = new(() =>
            tensors.SelectMany((tensor, index) => tensor.Slices.Select(slice => (index, PartOf(slice)))).ToLookup(part => part.Item2.File)
        );

        public IEnumerable<StoredPart> Of(int tensor, Box wanted) =>
            tensors[tensor].Slices.Select(PartOf).Where(part => part.Box.Intersect(wanted).Count > 0);

        public IEnumerable<(int Tensor, StoredPart Part)> In(int file) => _inFile.Value[file];

        public IEnumerable<DigestTable> TablesIn(int file) => [];

        private static StoredPart PartOf(SliceRecord1 slice) =>
            new(slice.File, slice.Start, new Box(slice.Offset, slice.Shape), DigestsAt: 0, slice.Digests);
    }
}
