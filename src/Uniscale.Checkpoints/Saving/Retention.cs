using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Which checkpoints stay: the newest k, every n-th, and those that are marked.</summary>
internal static class Retention
{
    /// <summary>
    /// Folders that may go, given that the newest one is verified. Folders without a good marker, and those that a load
    /// found damaged, count as nothing and stay: they are for the user to look at.
    /// </summary>
    public static IReadOnlyList<CheckpointFolder> Superfluous(IReadOnlyList<CheckpointFolder> newestFirst, int keep, int keepEvery)
    {
        if (keep <= 0)
            return [];
        return
        [
            .. newestFirst.Where(folder => folder.Marker is not null && !folder.IsDamaged).Skip(keep)
                .Where(folder => !folder.Marker!.Keep && (keepEvery <= 0 || folder.Marker.Ordinal % keepEvery != 0)),
        ];
    }

    /// <summary>Deletes what may go.</summary>
    public static IReadOnlyList<CheckpointFolder> Prune(string directory, int keep, int keepEvery)
    {
        var superfluous = Superfluous(CheckpointFolders.Scan(directory), keep, keepEvery);
        foreach (var folder in superfluous)
            CheckpointFolders.Delete(folder.Path);
        return superfluous;
    }
}
