using Uniscale.Checkpoints;
using Uniscale.Training.Ownership;

namespace Uniscale.Training.Runs;

/// <summary>Passes on the ends of saves once there is somebody to tell, and writes down that the run has one.</summary>
/// <param name="folder">The run's directory.</param>
/// <param name="identity">Who the run is; null on ranks that have no target.</param>
internal sealed class SaveListener(RunFolder folder, RunIdentity? identity) : ISaveObserver
{
    private RunIdentity? _identity = identity;

    /// <summary>Who is told, on rank 0.</summary>
    public ISaveObserver? Target { get; set; }

    /// <inheritdoc/>
    public void Staged(SaveStaged staged) => Target?.Staged(staged);

    /// <inheritdoc/>
    public void Ended(SaveResult result)
    {
        if (Target is not null && result.Status == SaveStatus.Durable)
            Remember(result);
        Target?.Ended(result);
    }

    /// <inheritdoc/>
    public void Replicated(long step, string tier, string? problem) => Target?.Replicated(step, tier, problem);

    /// <summary>A resumption that finds no checkpoint knows by this that something is missing.</summary>
    private void Remember(SaveResult saved)
    {
        _identity = _identity! with { SavedStep = saved.Step, SavedIn = folder.Checkpoints };
        try
        {
            _identity.Write(folder.FullPath, folder.Checkpoints);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // A full disk: the checkpoint is there all the same.
        }
    }
}
