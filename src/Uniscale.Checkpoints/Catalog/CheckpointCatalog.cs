using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Loading;
using Uniscale.Checkpoints.Saving;

namespace Uniscale.Checkpoints.Catalog;

/// <summary>A checkpoint as a list shows it.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="Manifest">Its manifest, or null where it is damaged.</param>
/// <param name="Problem">One sentence where marker, manifest or file sizes are not as written; else null.</param>
public sealed record CatalogEntry(string Folder, long Step, CheckpointManifest? Manifest, string? Problem);

/// <summary>The checkpoints of a directory, for people and commands; nothing here is collective.</summary>
public static class CheckpointCatalog
{
    /// <summary>Name of the file that makes a folder a checkpoint.</summary>
    public const string MarkerFile = CommitMarker.FileName;

    /// <summary>All checkpoints, the newest first. Markers, manifests and sizes are proved, the data is not read.</summary>
    public static IReadOnlyList<CatalogEntry> List(string directory) => [.. CheckpointFolders.Scan(directory).Select(Describe)];

    /// <summary>Whether a directory has a checkpoint, good or not.</summary>
    public static bool HasAny(string directory) => CheckpointFolders.Scan(directory).Count > 0;

    /// <summary>Whether a checkpoint is being written to a directory, or one was broken off there.</summary>
    public static bool HasUnfinished(string directory) => CheckpointFolders.HasPartial(directory);

    /// <summary>
    /// Directory of checkpoints that a user's path means: a run's folder (its <c>checkpoints</c>) or the directory itself;
    /// of a checkpoint's own folder the parent.
    /// </summary>
    public static string DirectoryOf(string path)
    {
        path = Path.GetFullPath(path);
        if (IsCheckpoint(path))
            return Path.GetDirectoryName(path)!;
        string inner = Path.Combine(path, "checkpoints");
        return Directory.Exists(inner) ? inner : path;
    }

    /// <summary>
    /// The checkpoint that a user's path means: its own folder, or in a run's folder the one of a step, or the newest good one.
    /// Throws <see cref="CheckpointException"/> where there is none.
    /// </summary>
    public static string Find(string path, long? step = null)
    {
        if (step is null && IsCheckpoint(Path.GetFullPath(path)))
            return Path.GetFullPath(path);
        string directory = DirectoryOf(path);
        var folders = CheckpointFolders.Scan(directory);
        if (folders.Count == 0)
            throw new CheckpointException($"there is no checkpoint in {directory}");
        if (step is { } wanted)
        {
            return folders.FirstOrDefault(folder => folder.Step == wanted)?.Path
                ?? throw new CheckpointException(
                    $"there is no checkpoint of step {wanted} in {directory}; there are {string.Join(", ", folders.Select(folder => folder.Step).Order())}"
                );
        }
        return folders.Select(Describe).FirstOrDefault(entry => entry.Problem is null)?.Folder
            ?? throw new CheckpointDamagedException($"no checkpoint in {directory} is good");
    }

    /// <summary>Checkpoints that retention would let go.</summary>
    public static IReadOnlyList<CatalogEntry> Superfluous(string directory, int keep, int keepEvery) =>
        [.. new Retention(keep, keepEvery).Superfluous(CheckpointFolders.Scan(directory)).Select(Describe)];

    /// <summary>Deletes what retention lets go, after reading every byte of the newest: where that is damaged nothing is deleted.</summary>
    public static IReadOnlyList<string> Prune(string directory, int keep, int keepEvery)
    {
        var folders = CheckpointFolders.Scan(directory);
        if (folders.Count == 0)
            return [];
        var damages = CheckpointReader.Open(folders[0].Path).Verify();
        if (damages.Count > 0)
            throw new CheckpointDamagedException($"nothing was pruned, because the newest checkpoint is damaged: {damages[0]}");
        return [.. new Retention(keep, keepEvery).Prune(directory).Select(folder => folder.Path)];
    }

    /// <summary>True for a checkpoint's own folder.</summary>
    public static bool IsCheckpoint(string path) =>
        File.Exists(Path.Combine(path, CheckpointManifest.FileName)) || File.Exists(Path.Combine(path, CommitMarker.FileName));

    private static CatalogEntry Describe(CheckpointFolder folder)
    {
        try
        {
            return new CatalogEntry(folder.Path, folder.Step, CheckpointReader.Open(folder.Path).Manifest, null);
        }
        catch (CheckpointException failure)
        {
            return new CatalogEntry(folder.Path, folder.Step, null, failure.Message);
        }
    }
}
