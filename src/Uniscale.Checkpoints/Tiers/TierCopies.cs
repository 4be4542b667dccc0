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

    /// <summary>Copies a checkpoint, unless the tier has it, and lets the oldest copies go. Returns false where it was there.</summary>
    public bool Push(string folder, int keep)
    {
        var reader = CheckpointReader.Open(folder);
        var marker =
            CheckpointFolders.ReadMarker(folder)
            ?? throw new CheckpointDamagedException($"{folder} lost its marker while it was copied to {tier.Name}");
        if (owner is not null)
            TierOwners.Tell(tier, owner);
        string target = $"{_prefix}{Path.GetFileName(folder)}.{marker.Attempt}";
        bool isNew = tier.Read(Key(target, CommitMarker.FileName)) is null;
        if (isNew)
        {
            foreach (
                string? name in reader
                    .Manifest.Files.Select(file => file.Name)
                    .Append(CheckpointManifest.FileName)
                    .Append(CommitMarker.FileName)
            )
                tier.Put(Key(target, name), Path.Combine(folder, name));
        }
        Prune(target, keep);
        return isNew;
    }

    /// <summary>Brings the newest whole copy to the directory, proved. Returns its folder, or null where the tier has none.</summary>
    public string? Pull(string directory)
    {
        var failures = new List<string>();
        foreach (var (name, marker) in Committed())
        {
            try
            {
                return PullOne(name, marker, directory);
            }
            catch (CheckpointDamagedException damage)
            {
                failures.Add(damage.Message);
            }
        }
        return failures.Count == 0 ? null : throw new CheckpointDamagedException(string.Join("; ", failures));
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

    private string PullOne(string name, CommitMarker marker, string directory)
    {
        Directory.CreateDirectory(directory);
        string partial = CheckpointFolders.Partial(directory, marker.Step, marker.Attempt);
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
