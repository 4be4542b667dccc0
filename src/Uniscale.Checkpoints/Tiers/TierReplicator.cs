using Uniscale.Checkpoints.Format;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// Rank 0's thread that copies the newest checkpoint to the tiers, asynchronously and after the saves: a slow tier misses checkpoints, it
/// never holds one up.
/// </summary>
internal sealed class TierReplicator : IDisposable
{
    private readonly string _directory;
    private readonly CheckpointOptions _options;
    private readonly ITier[] _tiers;
    private readonly Lock _gate = new();
    private Task _current = Task.CompletedTask;
    private bool _again;

    public TierReplicator(string directory, CheckpointOptions options)
    {
        _directory = directory;
        _options = options;
        _tiers = [.. options.Tiers.Select(TierLocation.Open)];
    }

    /// <summary>Says that there is a new checkpoint; returns at once.</summary>
    public void Notify()
    {
        if (_tiers.Length == 0)
            return;
        lock (_gate)
        {
            _again = true;
            if (_current.IsCompleted)
                _current = Task.Factory.StartNew(
                    PushNewest,
                    CancellationToken.None,
                    TaskCreationOptions.LongRunning,
                    TaskScheduler.Default
                );
        }
    }

    /// <summary>Waits until the newest checkpoint is in the tiers, or has failed to get there.</summary>
    public void Drain()
    {
        Task current;
        lock (_gate)
            current = _current;
        current.Wait();
    }

    /// <summary>Brings the newest copy of the first tier that has one; returns its folder and a sentence, or null.</summary>
    public (string Folder, string Sentence)? Restore()
    {
        foreach (var tier in _tiers)
        {
            if (new TierCopies(tier, _options.Owner).Pull(_directory) is { } folder)
                return (folder, $"{Path.GetFileName(folder)} was brought back from {tier.Name}");
        }
        return null;
    }

    public void Dispose()
    {
        Drain();
        foreach (var tier in _tiers)
            tier.Dispose();
    }

    private void PushNewest()
    {
        while (true)
        {
            lock (_gate)
            {
                if (!_again)
                    return;
                _again = false;
            }
            foreach (var tier in _tiers)
                Push(tier);
        }
    }

    private void Push(ITier tier)
    {
        var newest = CheckpointFolders.Scan(_directory).FirstOrDefault(folder => folder.Marker is not null);
        if (newest is null)
            return;
        try
        {
            new TierCopies(tier, _options.Owner).Push(newest.Path, _options.Keep);
            _options.Observer?.Replicated(newest.Step, tier.Name, null);
        }
        // Whatever goes wrong with a second copy, training goes on.
        catch (Exception failure)
        {
            _options.Observer?.Replicated(newest.Step, tier.Name, $"{failure.Message}; the next checkpoint is tried again");
        }
    }
}
