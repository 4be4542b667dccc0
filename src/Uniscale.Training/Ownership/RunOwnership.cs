using Uniscale.Configuration;
using Uniscale.Launching.Ownership;

namespace Uniscale.Training.Ownership;

/// <summary>All directories of a run, kept for one process: its own, and that of its checkpoints where that lies elsewhere.</summary>
public sealed class RunOwnership : IDisposable
{
    /// <summary>Name of the locks of what trains.</summary>
    internal const string TrainingLock = "run";

    /// <summary>Name of the lock of what starts ranks again and again.</summary>
    private const string LauncherLock = "launch";

    private readonly List<DirectoryLock> _locks = [];

    private RunOwnership() { }

    /// <summary>Takes a run for training.</summary>
    /// <param name="run">Its directory.</param>
    /// <param name="checkpoints">Directory of its checkpoints.</param>
    /// <param name="say">Hears why taking waits.</param>
    /// <exception cref="UserErrorException">Another process trains it, or saves there.</exception>
    public static RunOwnership ToTrain(string run, string checkpoints, Action<string>? say = null)
    {
        var owned = new RunOwnership();
        try
        {
            owned._locks.Add(DirectoryLock.Take(run, TrainingLock, "The run", say));
            if (!IsWithin(checkpoints, run))
                owned._locks.Add(DirectoryLock.Take(checkpoints, TrainingLock, "The directory of checkpoints", say));
            return owned;
        }
        catch
        {
            owned.Dispose();
            throw;
        }
    }

    /// <summary>Takes a run for a launcher, whose ranks take it to train.</summary>
    /// <param name="run">Its directory.</param>
    /// <param name="say">Hears why taking waits.</param>
    /// <exception cref="UserErrorException">Another launcher has it.</exception>
    public static RunOwnership ToLaunch(string run, Action<string>? say = null)
    {
        var owned = new RunOwnership();
        owned._locks.Add(DirectoryLock.Take(run, LauncherLock, "The run", say));
        return owned;
    }

    /// <summary>Whether a file of a directory is what its owner leaves there, and nothing of a run.</summary>
    public static bool IsMark(string path) => Path.GetFileName(path) is TrainingLock + ".lock" or TrainingLock + ".owner";

    /// <inheritdoc cref="DirectoryLock.ThrowIfLost"/>
    public void ThrowIfLost() => _locks.ForEach(held => held.ThrowIfLost());

    /// <inheritdoc/>
    public void Dispose() => _locks.ForEach(held => held.Dispose());

    /// <summary>Whether a path is a directory or lies in it, by their names.</summary>
    internal static bool IsWithin(string path, string directory) =>
        (path + Path.DirectorySeparatorChar).StartsWith(directory + Path.DirectorySeparatorChar, StringComparison.Ordinal);
}
