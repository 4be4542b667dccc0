using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// Copies of checkpoints in a tier. A copy lies under <c>step-NUMBER.ATTEMPT/</c>; its commit marker is written last and deleted first, so
/// that a copy with a marker is whole.
/// </summary>
internal static class TierCopies
{
    /// <summary>Copies a checkpoint, unless the tier has it, and lets the oldest copies go. Returns false where it was there.</summary>
    public static bool Push(string folder, ITier tier, int keep)
    {
        var reader = CheckpointReader.Open(folder);
        var marker = CheckpointFolders.ReadMarker(folder)
            ?? throw new CheckpointDamagedException($"{folder} lost its marker while it was copied to {tier.Name}");
        var target = $"{Path.GetFileName(folder)}.{marker.Attempt}";
        var isNew = tier.Read(Key(target, CommitMarker.FileName)) is null;
        if (isNew)
        {
            foreach (var name in reader.Manifest.Files.Select(file => file.Name).Append(CheckpointManifest.FileName).Append(CommitMarker.FileName))
                tier.Put(Key(target, name), Path.Combine(folder, name));
        }
        Prune(tier, target, keep);
        return isNew;
    }

    /// <summary>Brings the newest whole copy to the directory, proved. Returns its folder, or null where the tier has none.</summary>
    public static string? Pull(ITier tier, string directory)
    {
        var failures = new List<string>();
        foreach (var (name, marker) in Committed(tier))
        {
            try
            {
                return PullOne(tier, name, marker, directory);
            }
            catch (CheckpointDamagedException damage)
            {
                failures.Add(damage.Message);
            }
        }
        return failures.Count == 0 ? null : throw new CheckpointDamagedException(string.Join("; ", failures));
    }

    /// <summary>Copies with a good marker, the newest first.</summary>
    public static IReadOnlyList<(string Name, CommitMarker Marker)> Committed(ITier tier)
    {
        var copies = new List<(string Name, CommitMarker Marker)>();
        foreach (var key in tier.List().Where(key => key.EndsWith("/" + CommitMarker.FileName, StringComparison.Ordinal)))
        {
            if (tier.Read(key) is { } bytes && CommitMarker.Parse(bytes) is { } marker)
                copies.Add((key[..key.LastIndexOf('/')], marker));
        }
        return [.. copies.OrderByDescending(copy => copy.Marker.Ordinal).ThenByDescending(copy => copy.Marker.Step)];
    }

    private static string PullOne(ITier tier, string name, CommitMarker marker, string directory)
    {
        Directory.CreateDirectory(directory);
        var partial = CheckpointFolders.Partial(directory, marker.Step, marker.Attempt);
        if (Directory.Exists(partial))
            Directory.Delete(partial, recursive: true);
        Directory.CreateDirectory(partial);
        try
        {
            tier.Get(Key(name, CommitMarker.FileName), Path.Combine(partial, CommitMarker.FileName));
            tier.Get(Key(name, CheckpointManifest.FileName), Path.Combine(partial, CheckpointManifest.FileName));
            var manifest = CheckpointReader.Open(partial, proveSizes: false).Manifest;
            foreach (var file in manifest.Files)
                tier.Get(Key(name, file.Name), Path.Combine(partial, file.Name));
            var damages = CheckpointReader.Open(partial).Verify();
            if (damages.Count > 0)
                throw new CheckpointDamagedException($"the copy {name} in {tier.Name} is damaged: {damages[0]}");
            CheckpointFolders.Publish(directory, marker.Step, marker.Attempt);
            return CheckpointFolders.Final(directory, marker.Step);
        }
        finally
        {
            CheckpointFolders.DeletePartial(partial);
        }
    }

    // Copies that were never finished go with those that are too old; marked ones stay.
    private static void Prune(ITier tier, string justPushed, int keep)
    {
        if (keep <= 0)
            return;
        var committed = Committed(tier);
        var stay = committed.Take(keep).Concat(committed.Where(copy => copy.Marker.Keep)).Select(copy => copy.Name).Append(justPushed).ToHashSet();
        var superfluous = tier.List().Where(key => key.Contains('/') && !stay.Contains(key[..key.LastIndexOf('/')]));
        foreach (var key in superfluous.OrderBy(key => !key.EndsWith(CommitMarker.FileName, StringComparison.Ordinal)))
            tier.Delete(key);
    }

    private static string Key(string folder, string file) => $"{folder}/{file}";
}
