using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// Copies of a run's checkpoints in a tier. A copy lies under <c>OWNER/step-NUMBER.ATTEMPT/</c>; its commit marker is written last and
/// deleted first, so
/// that a copy with a marker is whole. What lies elsewhere is another run's, and is neither restored nor pruned.
/// </summary>
/// <param name="tier">The tier.</param>
/// <param name="owner">Whose copies they are; null: nobody's, they lie in the tier's root.</param>
internal sealed class TierCopies(ITier tier, TierOwner? owner)
{
    private readonly string _prefix = owner is null ? "" : owner.Id + "/";

    /// <summary>A copy that is to be made.</summary>
    /// <param name="Target">Where its files lie in the tier.</param>
    /// <param name="Files">Its data files.</param>
    public sealed record Copy(string Target, IReadOnlyList<string> Files);

    /// <summary>A copy that is to be fetched.</summary>
    /// <param name="Folder">Where its files go, until all are there.</param>
    /// <param name="Manifest">Its manifest, proved.</param>
    public sealed record Opened(string Folder, byte[] Manifest);

    /// <summary>Finds out what a copy of a checkpoint takes; null: the tier has it.</summary>
    public Copy? Begin(string folder)
    {
        var marker = MarkerOf(folder);
        var manifest = CheckpointReader.Open(folder).Manifest;
        if (owner is not null)
            TierOwners.Tell(tier, owner);
        string target = $"{_prefix}{Path.GetFileName(folder)}.{marker.Attempt}";
        return tier.Read(Key(target, CommitMarker.FileName)) is null
            ? new Copy(target, [.. manifest.Files.Select(file => file.Name)])
            : null;
    }

    /// <summary>Copies one file, unless a copy that was broken off has brought it there.</summary>
    public static void Carry(ITier tier, string key, string file)
    {
        if (tier.SizeOf(key) != new FileInfo(file).Length)
            tier.Put(key, file);
    }

    /// <summary>Makes a whole copy of one whose data files are there, and lets the oldest copies go.</summary>
    /// <exception cref="CheckpointException">A data file is not there.</exception>
    public void Commit(string folder, Copy copy, int keep)
    {
        // A directory may be another one on another host.
        var sizes = tier.Sizes(copy.Target);
        foreach (string file in copy.Files)
            if (sizes.GetValueOrDefault(file, -1) != new FileInfo(Path.Combine(folder, file)).Length)
                throw new CheckpointException(
                    $"{tier.Name} lacks {Key(copy.Target, file)} although it was copied: a tier must be one place that all hosts of the job reach"
                );
        tier.Put(Key(copy.Target, CheckpointManifest.FileName), Path.Combine(folder, CheckpointManifest.FileName));
        tier.Put(Key(copy.Target, CommitMarker.FileName), Path.Combine(folder, CommitMarker.FileName));
        Prune(copy.Target, keep);
        tier.AbandonUploads(key => key.StartsWith(_prefix + CheckpointFolders.Prefix, StringComparison.Ordinal));
    }

    /// <summary>Begins to bring a copy to the directory: its marker and manifest.</summary>
    public Opened OpenCopy(string name, string directory)
    {
        var marker =
            CommitMarker.Parse(tier.Read(Key(name, CommitMarker.FileName)) ?? [])
            ?? throw new CheckpointDamagedException($"the copy {name} in {tier.Name} has lost its marker");
        Directory.CreateDirectory(directory);
        string partial = CheckpointFolders.Partial(directory, marker.Step, marker.Attempt);
        if (Directory.Exists(partial))
            Directory.Delete(partial, recursive: true);
        Directory.CreateDirectory(partial);
        try
        {
            tier.Get(Key(name, CommitMarker.FileName), Path.Combine(partial, CommitMarker.FileName));
            tier.Get(Key(name, CheckpointManifest.FileName), Path.Combine(partial, CheckpointManifest.FileName));
            return new Opened(partial, CheckpointReader.ReadManifest(partial));
        }
        catch
        {
            CheckpointFolders.DeletePartial(partial);
            throw;
        }
    }

    /// <summary>Makes a fetched copy a checkpoint of the directory; returns its folder.</summary>
    public static string Publish(string folder, string directory)
    {
        var marker = MarkerOf(folder);
        // All files are there with their sizes, as rank 0 sees them too.
        CheckpointReader.Open(folder, proveSizes: true);
        CheckpointFolders.Publish(directory, marker.Step, marker.Attempt);
        return CheckpointFolders.Final(directory, marker.Step);
    }

    /// <summary>Copies with a good marker, the newest first.</summary>
    public IReadOnlyList<(string Name, CommitMarker Marker)> Committed()
    {
        var copies = new List<(string Name, CommitMarker Marker)>();
        foreach (string? key in Keys().Where(key => key.EndsWith("/" + CommitMarker.FileName, StringComparison.Ordinal)))
        {
            if (tier.Read(key) is { } bytes && CommitMarker.Parse(bytes) is { } marker)
                copies.Add((key[..key.LastIndexOf('/')], marker));
        }
        return [.. copies.OrderByDescending(copy => copy.Marker.Ordinal).ThenByDescending(copy => copy.Marker.Step)];
    }

    private static CommitMarker MarkerOf(string folder) =>
        CheckpointFolders.ReadMarker(folder) ?? throw new CheckpointDamagedException($"{folder} has lost its marker");

    // Copies that were never finished go with those that are too old; marked ones stay.
    private void Prune(string justPushed, int keep)
    {
        if (keep <= 0)
            return;
        var committed = Committed();
        var stay = committed
            .Take(keep)
            .Concat(committed.Where(copy => copy.Marker.Keep))
            .Select(copy => copy.Name)
            .Append(justPushed)
            .ToHashSet();
        var superfluous = Keys().Where(key => !stay.Contains(key[..key.LastIndexOf('/')]));
        foreach (string? key in superfluous.OrderBy(key => !key.EndsWith(CommitMarker.FileName, StringComparison.Ordinal)))
            tier.Delete(key);
    }

    /// <summary>Keys of the run's own copies, whole or not.</summary>
    private IEnumerable<string> Keys() =>
        tier.List()
            .Where(key =>
                key.StartsWith(_prefix + CheckpointFolders.Prefix, StringComparison.Ordinal) && key.LastIndexOf('/') > _prefix.Length
            );

    private static string Key(string folder, string file) => $"{folder}/{file}";
}
