namespace Uniscale.Checkpoints.Format;

/// <summary>
/// What must hold in a manifest of any format before a byte of the data is read. Its digest says that it is as it was written, not that
/// whoever wrote it meant
/// well: a name may not lead out of the folder, no number may ask for more than the files hold.
/// </summary>
internal static class ManifestRules
{
    private const int LargestChunkBytes = 1 << 30;

    /// <summary>What is wrong with the fields that all formats have, or null.</summary>
    public static string? Broken(StoredManifest manifest)
    {
        if (
            manifest
            is { Files: null }
                or { Extra: null }
                or { ConfigurationYaml: null }
                or { CodeVersion: null }
                or { DataFingerprint: null }
                or { ConfigurationHash: null }
        )
            return "a field is null";
        if (manifest.ChunkBytes is < 1 or > LargestChunkBytes)
            return $"chunk_bytes is {manifest.ChunkBytes}, but must be from 1 to {LargestChunkBytes}";
        if (manifest is { Step: < 0 } or { ConsumedTokens: < 0 } or { WorldSize: < 1 })
            return $"step {manifest.Step}, consumed_tokens {manifest.ConsumedTokens} and world_size {manifest.WorldSize} are no position of a run";
        return manifest.Files.Select(BrokenFile).FirstOrDefault(problem => problem is not null)
            ?? Doubled(manifest.Files.Select(file => file.Name), "file");
    }

    /// <summary>True for the name of a file in a folder, that leads nowhere else.</summary>
    public static bool IsPlainName(string? name) =>
        !string.IsNullOrEmpty(name) && name is not ("." or "..") && name.AsSpan().IndexOfAny("/\\\0") < 0 && Path.GetFileName(name) == name;

    /// <summary>True for the shape of a tensor whose bytes can be counted.</summary>
    public static bool IsShape(long[] shape, int elementBytes)
    {
        Int128 bytes = elementBytes;
        foreach (long extent in shape)
            if (extent < 0 || (bytes *= extent) > long.MaxValue)
                return false;
        return true;
    }

    /// <summary>What is there twice, or null.</summary>
    public static string? Doubled(IEnumerable<string> names, string what)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        return names.FirstOrDefault(name => !seen.Add(name)) is { } name ? $"there are two {what}s '{name}'" : null;
    }

    private static string? BrokenFile(FileRecord? file)
    {
        if (file is null || !IsPlainName(file.Name))
            return $"'{file?.Name}' is no name of a file in the folder";
        return
            file.SizeBytes < 0
            || file.HeaderBytes < 0
            || file.HeaderBytes > Math.Min(file.SizeBytes, Safetensors.SafeTensorsHeader.LimitBytes + Memory.PageMemory.PageBytes)
            || file.HeaderDigest is null
            ? $"file '{file.Name}' has {file.SizeBytes} bytes with a header of {file.HeaderBytes}"
            : null;
    }
}
