using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Saving;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Tiers;

/// <summary>
/// Copies the newest checkpoint to the tiers, asynchronously and after the saves: a slow tier misses checkpoints, it never holds one up. A
/// thread of rank 0 chooses the checkpoint, one of the first rank of every host carries the host's files, and rank 0 then commits the copy.
/// </summary>
internal sealed class TierReplicator : IDisposable
{
    private readonly string _directory;
    private readonly IWorld _world;
    private readonly CheckpointOptions _options;
    private readonly ITier[] _tiers;
    private readonly Lock _gate = new();
    private NodePlaces? _places;
    private Task _current = Task.CompletedTask;
    private bool _again;

    public TierReplicator(string directory, IWorld world, CheckpointOptions options)
    {
        (_directory, _world, _options) = (directory, world, options);
        _tiers = [.. options.Tiers.Select(TierLocation.Open)];
    }

    /// <summary>Begins to serve rank 0, once it is known who shares a host.</summary>
    public void Begin(NodePlaces places)
    {
        if (_tiers.Length == 0 || _places is not null)
            return;
        _places = places;
        if (_world.Rank > 0 && places.IsFirst)
            _current = Started(Serve);
    }

    /// <summary>Rank 0: says that there may be a checkpoint that the tiers lack; returns at once.</summary>
    public void Notify()
    {
        if (_tiers.Length == 0)
            return;
        lock (_gate)
        {
            _again = true;
            if (_current.IsCompleted)
                _current = Started(PushNewest);
        }
    }

    /// <summary>Rank 0: waits until the newest checkpoint is in the tiers, or has failed to get there.</summary>
    public void Drain()
    {
        if (_world.Rank > 0)
            return;
        Task current;
        lock (_gate)
            current = _current;
        current.Wait();
    }

    /// <summary>Waits until rank 0 has nothing more to copy.</summary>
    public void Dispose()
    {
        Drain();
        if (_world.Rank == 0 && _places is not null)
            Tell(TierOrder.End);
        _current.Wait();
        foreach (var tier in _tiers)
            tier.Dispose();
    }

    private static Task Started(Action body) =>
        Task.Factory.StartNew(body, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

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
            for (int tier = 0; tier < _tiers.Length; tier++)
                Push(tier);
        }
    }

    private void Push(int tier)
    {
        string name = _tiers[tier].Name;
        long step = -1;
        try
        {
            var newest = CheckpointFolders.Scan(_directory).FirstOrDefault(folder => folder.Marker is not null);
            if (newest is null)
                return;
            step = newest.Step;
            var copies = new TierCopies(_tiers[tier], _options.Owner);
            if (copies.Begin(newest.Path) is not { } copy)
                return;
            var order = new TierOrder(Guid.NewGuid().ToString("n"), tier, newest.Path, copy.Target, copy.Files);
            Tell(order);
            if (Carried(order) is { Length: > 0 } failure)
                throw new CheckpointException(failure);
            copies.Commit(newest.Path, copy, _options.Keep);
            _options.Observer?.Replicated(step, name, null);
        }
        // Whatever goes wrong with a second copy, training goes on.
        catch (Exception failure)
        {
            _options.Observer?.Replicated(step, name, $"{failure.Message}; the next checkpoint is tried again");
        }
    }

    // The first rank of another host, until rank 0 ends or the job fails.
    private void Serve()
    {
        try
        {
            while (_world.Messages.Receive((int)Subject.TierOrder, TimeSpan.MaxValue) is { } message)
            {
                var order = TierOrder.Read(message.Bytes);
                Tell(order);
                if (order.IsEnd)
                    return;
                string failure = Carried(order);
                _world.Messages.Send(
                    _places!.Above,
                    (int)Subject.TierReport,
                    new Arrival(order.Id, failure, new Dictionary<int, string>()).ToBytes()
                );
            }
        }
        catch (CollectiveException)
        {
            // The job has failed; what is not in the tier is copied after the next start.
        }
    }

    private void Tell(TierOrder order)
    {
        foreach (int rank in _places!.FirstsBelow)
            _world.Messages.Send(rank, (int)Subject.TierOrder, order.ToBytes());
    }

    // Copies this host's files and waits for the hosts below; says why not all are there, or nothing.
    private string Carried(TierOrder order)
    {
        string failure = "";
        try
        {
            var tier = _tiers[order.Tier];
            TierShare.ForEach(
                TierShare.Of(order.Files, _places!),
                file => TierCopies.Carry(tier, $"{order.Target}/{file}", Path.Combine(order.Folder, file))
            );
        }
        catch (Exception problem)
        {
            failure = problem.Message;
        }
        var missing = _places!.FirstsBelow.ToHashSet();
        while (missing.Count > 0 && _world.Messages.Receive((int)Subject.TierReport, TimeSpan.MaxValue) is { } message)
        {
            var report = Arrival.Read(message.Bytes);
            if (report.Attempt == order.Id && missing.Remove(message.From) && failure.Length == 0)
                failure = report.Failure;
        }
        return failure;
    }
}
