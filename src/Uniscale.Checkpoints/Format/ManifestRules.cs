using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Format;

/// <summary>
/// What must hold in a manifest before a byte of the data is read. Its digest says that it is as it was written, not that whoever wrote it meant well: a
/// name may not lead out of the folder, no number may ask for more than the files hold, and the parts of a tensor must make it up.
/// </summary>
internal static class ManifestRules
{
    private const int LargestChunkBytes = 1 << 30;

    /// <summary>What is wrong, or null.</summary>
    public static string? Broken(CheckpointManifest manifest)
    {
        if (manifest is { Files: null } or { Tensors: null } or { Extra: null } or { ConfigurationYaml: null } or { CodeVersion: null } or { DataFingerprint: null } or { ConfigurationHash: null })
            return "a field is null";
        if (manifest.ChunkBytes is < 1 or > LargestChunkBytes)
            return $"chunk_bytes is {manifest.ChunkBytes}, but must be from 1 to {LargestChunkBytes}";
        if (manifest is { Step: < 0 } or { ConsumedTokens: < 0 } or { WorldSize: < 1 })
            return $"step {manifest.Step}, consumed_tokens {manifest.ConsumedTokens} and world_size {manifest.WorldSize} are no position of a run";
        return manifest.Files.Select(BrokenFile).FirstOrDefault(problem => problem is not null)
            ?? Doubled(manifest.Files.Select(file => file.Name), "file")
            ?? manifest.Tensors.Select(tensor => BrokenTensor(manifest, tensor)).FirstOrDefault(problem => problem is not null)
            ?? Doubled(manifest.Tensors.Select(tensor => tensor.Name), "tensor");
    }

    /// <summary>True for the name of a file in a folder, that leads nowhere else.</summary>
    public static bool IsPlainName(string? name) =>
        !string.IsNullOrEmpty(name) && name is not ("." or "..") && name.AsSpan().IndexOfAny("/\\\0") < 0 && Path.GetFileName(name) == name;

    private static string? BrokenFile(FileRecord? file)
    {
        if (file is null || !IsPlainName(file.Name))
            return $"'{file?.Name}' is no name of a file in the folder";
        return file.SizeBytes < 0 || file.HeaderBytes < 0
            || file.HeaderBytes > Math.Min(file.SizeBytes, Safetensors.SafeTensorsHeader.LimitBytes + Memory.PageMemory.PageBytes) || file.HeaderDigest is null
            ? $"file '{file.Name}' has {file.SizeBytes} bytes with a header of {file.HeaderBytes}"
            : null;
    }

    private static string? BrokenTensor(CheckpointManifest manifest, TensorRecord? tensor)
    {
        if (tensor is null || string.IsNullOrEmpty(tensor.Name) || tensor.Shape is null || tensor.Slices is null)
            return "a tensor has no name, shape or slices";
        if (CountOf(tensor.Shape) is not { } count || count > long.MaxValue / tensor.Type.SizeBytes())
            return $"tensor '{tensor.Name}' has the shape {Box.Show(tensor.Shape)}";
        foreach (var slice in tensor.Slices)
            if (BrokenSlice(manifest, tensor, slice) is { } problem)
                return $"tensor '{tensor.Name}': {problem}";
        decimal covered = tensor.Slices.Sum(slice => (decimal)Box.CountOf(slice.Shape));
        if (covered != count)
            return $"tensor '{tensor.Name}' has {count} elements, its slices {covered}";
        return Overlap(tensor.Slices) ? $"slices of tensor '{tensor.Name}' overlap" : null;
    }

    private static string? BrokenSlice(CheckpointManifest manifest, TensorRecord tensor, SliceRecord? slice)
    {
        if (slice is null or { Offset: null } or { Shape: null } or { Digests: null } || !new Box(slice.Offset, slice.Shape).FitsIn(tensor.Shape))
            return "a slice does not lie within it";
        if (slice.File < 0 || slice.File >= manifest.Files.Count)
            return $"a slice lies in file {slice.File} of {manifest.Files.Count}";
        var (file, bytes) = (manifest.Files[slice.File], Box.CountOf(slice.Shape) * tensor.Type.SizeBytes());
        if (slice.Start < file.HeaderBytes || slice.Start > file.SizeBytes - bytes)
            return $"a slice lies at byte {slice.Start} with {bytes} bytes, its file '{file.Name}' has {file.SizeBytes}";
        long chunks = (bytes + manifest.ChunkBytes - 1) / manifest.ChunkBytes;
        return slice.Digests.Length != chunks * Digest.Length ? $"a slice of {chunks} chunks has {slice.Digests.Length} digits of digests, not {chunks * Digest.Length}" : null;
    }

    /// <summary>Elements of a shape, or null where it is none.</summary>
    private static long? CountOf(long[] shape)
    {
        Int128 count = 1;
        foreach (long extent in shape)
            if (extent < 0 || (count *= extent) > long.MaxValue)
                return null;
        return (long)count;
    }

    // In order of their first dim only those that begin before the end of one can meet it.
    private static bool Overlap(IReadOnlyList<SliceRecord> slices)
    {
        if (slices.Count < 2)
            return false;
        SliceRecord[] ordered = [.. slices.Where(slice => slice.Offset.Length > 0).OrderBy(slice => slice.Offset[0])];
        if (ordered.Length < slices.Count)
            return true;
        for (int i = 0; i < ordered.Length; i++)
        {
            var box = new Box(ordered[i].Offset, ordered[i].Shape);
            for (int j = i + 1; j < ordered.Length && ordered[j].Offset[0] < box.Offset[0] + box.Shape[0]; j++)
                if (box.Intersect(new Box(ordered[j].Offset, ordered[j].Shape)).Count > 0)
                    return true;
        }
        return false;
    }

    private static string? Doubled(IEnumerable<string> names, string what)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return names.FirstOrDefault(name => !seen.Add(name)) is { } name ? $"there are two {what}s '{name}'" : null;
    }
}
