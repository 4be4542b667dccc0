using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Saving;

/// <summary>Which checkpoints stay: the newest k, those of the last steps, every n-th, and those that are marked.</summary>
/// <param name="Keep">Newest ones that stay; 0: all stay.</param>
/// <param name="KeepEvery">Every n-th stays; 0: none for that reason.</param>
/// <param name="Reach">Steps back from the newest that stay, with the one before them; 0: none for that reason.</param>
internal sealed record Retention(int Keep, int KeepEvery, long Reach = 0)
{
    /// <summary>
    /// Folders that may go, given that the newest one is verified. Folders without a good marker, and those that a load
    /// found damaged, count as nothing and stay: they are for the user to look at.
    /// </summary>
    public IReadOnlyList<CheckpointFolder> Superfluous(IReadOnlyList<CheckpointFolder> newestFirst)
    {
        var committed = newestFirst.Where(folder => folder.Marker is not null && !folder.IsDamaged).ToList();
        if (Keep <= 0 || committed.Count == 0)
            return [];
        long reached =
            committed.Where(folder => folder.Step <= committed[0].Step - Reach && !folder.Marker!.Keep).MaxBy(folder => folder.Step)?.Step
            ?? 0;
        return
        [
            .. committed
                .Skip(Keep)
                .Where(folder =>
                    !folder.Marker!.Keep
                    && (KeepEvery <= 0 || folder.Marker.Ordinal % KeepEvery != 0)
                    && (Reach == 0 || folder.Step < reached)
                ),
        ];
    }

    /// <summary>Deletes what may go.</summary>
    public IReadOnlyList<CheckpointFolder> Prune(string directory)
    {
        var superfluous = Superfluous(CheckpointFolders.Scan(directory));
        foreach (var folder in superfluous)
            CheckpointFolders.Delete(folder.Path);
        return superfluous;
    }
}
