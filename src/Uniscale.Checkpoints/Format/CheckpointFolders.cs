using System.Globalization;
using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Format;

/// <summary>A folder that bears a checkpoint's name.</summary>
/// <param name="Path">The folder.</param>
/// <param name="Step">Step, by its name.</param>
/// <param name="Marker">Its commit marker, or null where that is missing or damaged.</param>
/// <param name="IsDamaged">Whether a load found it damaged.</param>
internal sealed record CheckpointFolder(string Path, long Step, CommitMarker? Marker, bool IsDamaged = false);

/// <summary>
/// Names in the directory of a run's checkpoints. <c>step-00000100</c> is a checkpoint; <c>.step-00000100.ATTEMPT.partial</c> one that is
/// being written; <c>.step-00000100.ATTEMPT.replaced</c> an old one on its way out while a new one of the same step takes its place.
/// </summary>
internal static class CheckpointFolders
{
    public const string Prefix = "step-";
    private const string PartialSuffix = ".partial";
    private const string ReplacedSuffix = ".replaced";
    private const string DeletedSuffix = ".deleted";

    /// <summary>Holds the sentence of the load that found a checkpoint damaged.</summary>
    private const string DamageFile = "damaged.txt";

    /// <summary>Folder of a committed checkpoint.</summary>
    public static string Final(string directory, long step) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{Prefix}{step:00000000}"));

    /// <summary>Folder of a checkpoint that is being written.</summary>
    public static string Partial(string directory, long step, string attempt) => Hidden(directory, step, attempt, PartialSuffix);

    /// <summary>Whether there is a folder of a checkpoint that is being written.</summary>
    public static bool HasPartial(string directory) =>
        Directory.Exists(directory) && Directory.EnumerateDirectories(directory, $".{Prefix}*{PartialSuffix}").Any();

    /// <summary>All folders named like a checkpoint, the newest first: by number of the save, those without a good marker last.</summary>
    public static IReadOnlyList<CheckpointFolder> Scan(string directory)
    {
        if (!Directory.Exists(directory))
            return [];
        var folders = new List<CheckpointFolder>();
        foreach (string path in Directory.EnumerateDirectories(directory, Prefix + "*"))
        {
            if (long.TryParse(Path.GetFileName(path)[Prefix.Length..], NumberStyles.None, CultureInfo.InvariantCulture, out long step))
                folders.Add(new CheckpointFolder(path, step, ReadMarker(path), File.Exists(Path.Combine(path, DamageFile))));
        }
        return [.. folders.OrderByDescending(folder => folder.Marker?.Ordinal ?? -1).ThenByDescending(folder => folder.Step)];
    }

    /// <summary>The marker of a folder, or null: there is none, it is damaged, or it cannot be read.</summary>
    public static CommitMarker? ReadMarker(string folder)
    {
        try
        {
            return OpenMarker(folder);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The marker of a folder, or null: there is none, or it is damaged.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static CommitMarker? OpenMarker(string folder)
    {
        string path = Path.Combine(folder, CommitMarker.FileName);
        try
        {
            using var file = File.OpenHandle(path);
            byte[] bytes = new byte[CommitMarker.LongestBytes + 1];
            return CommitMarker.Parse(bytes.AsSpan(0, RandomAccess.Read(file, bytes, 0)));
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException or NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>
    /// Notes that a checkpoint is damaged, so that it does not count among those that are kept. It stays for the user to look at.
    /// </summary>
    public static void MarkDamaged(string folder, string sentence)
    {
        try
        {
            File.WriteAllText(Path.Combine(folder, DamageFile), sentence + "\n");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // A disk that cannot be written keeps all it has.
        }
    }

    /// <summary>
    /// Gives a finished temporary folder its final name, durably. A folder that had the name is put aside first and deleted after.
    /// </summary>
    public static void Publish(string directory, long step, string attempt)
    {
        string final = Final(directory, step);
        string replaced = Hidden(directory, step, attempt, ReplacedSuffix);
        if (Directory.Exists(final))
            Directory.Move(final, replaced);
        Directory.Move(Partial(directory, step, attempt), final);
        Posix.SyncDirectory(directory);
        if (Directory.Exists(replaced))
            Directory.Delete(replaced, recursive: true);
    }

    /// <summary>
    /// Clears what broken saves left: partial and half-deleted folders go; a checkpoint that was put aside comes back where its successor
    /// never came.
    /// Call it only while no save is under way.
    /// </summary>
    public static void CleanUp(string directory)
    {
        if (!Directory.Exists(directory))
            return;
        foreach (string path in Directory.GetDirectories(directory, $".{Prefix}*"))
        {
            string name = Path.GetFileName(path);
            if (name.EndsWith(PartialSuffix, StringComparison.Ordinal) || name.EndsWith(DeletedSuffix, StringComparison.Ordinal))
            {
                Directory.Delete(path, recursive: true);
            }
            else if (name.EndsWith(ReplacedSuffix, StringComparison.Ordinal))
            {
                string final = Path.Combine(directory, name[1..].Split('.')[0]);
                if (Directory.Exists(final))
                    Directory.Delete(path, recursive: true);
                else
                    Directory.Move(path, final);
            }
        }
    }

    /// <summary>Deletes a temporary folder while other ranks may still be making files in it; they notice that it is gone.</summary>
    public static void DeletePartial(string folder)
    {
        const int Attempts = 20;
        for (int attempt = 1; Directory.Exists(folder); attempt++)
        {
            try
            {
                Directory.Delete(folder, recursive: true);
            }
            catch (IOException) when (attempt < Attempts)
            {
                Thread.Sleep(attempt);
            }
        }
    }

    /// <summary>Deletes a checkpoint; it loses its name first, so that a half-deleted one is never taken for one.</summary>
    public static void Delete(string folder)
    {
        string hidden = Path.Combine(Path.GetDirectoryName(folder)!, $".{Path.GetFileName(folder)}{DeletedSuffix}");
        if (Directory.Exists(hidden))
            Directory.Delete(hidden, recursive: true);
        Directory.Move(folder, hidden);
        Directory.Delete(hidden, recursive: true);
    }

    private static string Hidden(string directory, long step, string attempt, string suffix) =>
        Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $".{Prefix}{step:00000000}.{attempt}{suffix}"));
}
