using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// Saves of one rank. <see cref="Begin"/> is collective and holds training up for the exchange of plans and the copy to the host buffer;
/// a thread of its own then writes and meets the other ranks' by <see cref="SaveRendezvous"/>. There is never more than one save under way.
/// </summary>
internal sealed class CheckpointWriter(
    string directory,
    IWorld world,
    CheckpointOptions options,
    Func<NodePlaces> places,
    Action committed
) : IDisposable
{
    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(30);

    private readonly IProcessGroup _group = world.HostGroup;
    private readonly SavePlanner _planner = new(world.HostGroup, options, places);
    private readonly StagingBuffer _staging = new();
    private readonly CancellationTokenSource _cancelled = new();
    private Task<SaveResult> _current = Task.FromResult(new SaveResult(SaveStatus.Skipped, -1, ""));

    public bool Busy => !_current.IsCompleted;

    /// <summary>
    /// Finds the plan and, for asynchronous saves, makes the host buffer ahead of the first; says why a save would be refused now, or null.
    /// Collective.
    /// </summary>
    public string? Prepare(IReadOnlyList<StateSlice> slices, IReadOnlyList<StateTensor>? tensors, bool behind)
    {
        _planner.Find(slices, tensors);
        if (behind && Image.SizeBytes <= options.StagingLimitBytes)
            _staging.Reserve(Image.SizeBytes, options.EffectiveThreads);
        string word = GroupExchange.Broadcast(_group, _group.Rank == 0 ? ClearTheWay() ?? "" : "");
        return word.Length == 0 ? null : word;
    }

    /// <summary>Begins a save; collective.</summary>
    /// <param name="state">What is saved; its memory may change as soon as the call returns, unless <paramref name="staged"/> is
    /// false.</param>
    /// <param name="staged">False writes from the slices' own memory before the call returns.</param>
    public PendingSave Begin(CheckpointState state, bool staged)
    {
        var clock = Stopwatch.StartNew();
        if (options.Busy == BusyPolicy.Skip && staged && GroupExchange.Max(_group, Busy ? 1 : 0) > 0)
            return Refuse(state, SaveStatus.Skipped, "the checkpoint before it is still being written");
        _current.Wait();
        _planner.Find(state.Slices, state.Tensors);
        string attempt = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        string[] opening = GroupExchange.Broadcast(_group, _group.Rank == 0 ? Open(state, attempt) : "").Split('\n', 2);
        if (opening[0].Length == 0)
            return Refuse(state, SaveStatus.NoSpace, opening[1]);
        attempt = opening[0];

        nint[] addresses = AddressesOf(state.Slices);
        staged &= Image.SizeBytes <= options.StagingLimitBytes;
        var beforeCopy = clock.Elapsed;
        if (staged)
        {
            _staging.Reserve(Image.SizeBytes, options.EffectiveThreads);
            _staging.Fill(Image, addresses, options.EffectiveThreads);
        }
        var job = new SaveJob(state, attempt, clock, clock.Elapsed, clock.Elapsed - beforeCopy);
        options.Probe?.Invoke(SavePoint.Staged);
        if (staged)
            options.Observer?.Staged(new SaveStaged(state.Step, Image.SizeBytes, job.Blocked, job.Staging));
        _current = Task.Factory.StartNew(
            () => Run(job, staged ? _staging.Address : 0, addresses),
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default
        );
        if (!staged)
            _current.Wait();
        return new PendingSave(state.Step, _current);
    }

    /// <summary>Waits until no save is under way.</summary>
    public void Drain() => _current.Wait();

    public void Dispose()
    {
        if (!_current.Wait(DisposeGrace))
            _cancelled.Cancel();
        _current.Wait();
        _cancelled.Dispose();
        _staging.Dispose();
    }

    private sealed record SaveJob(CheckpointState State, string Attempt, Stopwatch Clock, TimeSpan Blocked, TimeSpan Staging);

    private ShardImage Image => _planner.Image;

    // Rank 0: the attempt's name if the save can begin, else an empty line and the reason.
    private string Open(CheckpointState state, string attempt)
    {
        if (ClearTheWay() is { } obstacle)
            return "\n" + obstacle;
        try
        {
            Directory.CreateDirectory(CheckpointFolders.Partial(directory, state.Step, attempt));
            options.Probe?.Invoke(SavePoint.FolderCreated);
            return attempt;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return "\n" + Unwritable(failure);
        }
    }

    // Rank 0, while no save is under way: takes away what broken ones left, and says why a checkpoint can nevertheless not be written.
    private string? ClearTheWay()
    {
        try
        {
            Directory.CreateDirectory(directory);
            CheckpointFolders.CleanUp(directory);
            long needed = _planner.World.TotalBytes + options.ReserveBytes;
            long free = new DriveInfo(Path.GetFullPath(directory)).AvailableFreeSpace;
            return free < needed
                ? $"it needs {Megabytes(needed)} with the reserve, {directory} has {Megabytes(free)} free: make room there"
                : null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return Unwritable(failure);
        }
    }

    private string Unwritable(Exception failure) => $"{directory} cannot be written ({failure.Message})";

    private static string Megabytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:N0} MB");

    private PendingSave Refuse(CheckpointState state, SaveStatus status, string reason)
    {
        var result = new SaveResult(status, state.Step, CheckpointFolders.Final(directory, state.Step), reason);
        options.Observer?.Ended(result);
        return new PendingSave(state.Step, Task.FromResult(result));
    }

    private nint[] AddressesOf(IReadOnlyList<StateSlice> slices)
    {
        var byId = new Dictionary<string, nint>();
        foreach (var slice in slices)
            byId.TryAdd(SliceKey.IdOf(slice.Name, slice.GlobalShape, slice.Offset, slice.Shape), slice.Address);
        return [.. Image.Entries.Select(entry => byId[entry.Key.Id])];
    }

    private SaveResult Run(SaveJob job, nint staged, nint[] addresses)
    {
        // Digests and copies would take a processor from the kernels of the next steps; nobody waits for a save that runs behind them.
        if (staged != 0)
            Posix.YieldProcessor();
        string folder = CheckpointFolders.Partial(directory, job.State.Step, job.Attempt);
        var rendezvous = new SaveRendezvous(world.Messages, _planner.Places, job.Attempt, options.DurableTimeout, _cancelled.Token);
        var result = new SaveResult(SaveStatus.Durable, job.State.Step, CheckpointFolders.Final(directory, job.State.Step))
        {
            SizeBytes = Image.Entries.Count == 0 ? 0 : Image.SizeBytes,
            Staging = job.Staging,
        };
        string failure = "",
            tableDigest = "";
        try
        {
            (result, tableDigest) = WriteShard(folder, staged, addresses, result);
        }
        catch (Exception problem)
        {
            failure = GiveUp(folder, problem);
        }
        try
        {
            // Whatever becomes of its part, a rank speaks and listens: others wait for it.
            result = Meet(job, folder, rendezvous, failure, tableDigest, result);
        }
        catch (Exception problem)
        {
            result = result with { Status = SaveStatus.Failed, Reason = failure.Length > 0 ? failure : problem.Message };
        }
        result = result with { Total = job.Clock.Elapsed, Blocked = staged == 0 ? job.Clock.Elapsed : job.Blocked };
        options.Observer?.Ended(result);
        return result;
    }

    private (SaveResult Result, string TableDigest) WriteShard(string folder, nint staged, nint[] addresses, SaveResult result)
    {
        if (Image.Entries.Count == 0)
            return (result, "");
        string path = Path.Combine(folder, Image.FileName);
        var file = new ShardFile(path, Image, options.Direct, point => options.Probe?.Invoke(point));
        var clock = Stopwatch.StartNew();
        var digests = file.Write(staged, addresses);
        result = result with { Writing = clock.Elapsed };
        if (options.ReadBack && !file.ReadsBackAs(digests))
            throw new CheckpointDamagedException($"{path} reads back otherwise than it was written");
        return (result with { ReadBack = clock.Elapsed - result.Writing }, digests.TableDigest);
    }

    // Speaks for this rank and those below it, hears how the save ends, and passes it on.
    private SaveResult Meet(SaveJob job, string folder, SaveRendezvous rendezvous, string failure, string tableDigest, SaveResult result)
    {
        if (_group.Rank == 0 && failure.Length == 0)
            failure = Announced(failure);
        var arrival = rendezvous.Collect(_group.Rank, failure, tableDigest);
        // One sync for all files that this host has made.
        if (_planner.Places.IsFirst && arrival.Failure.Length == 0)
            arrival = arrival with { Failure = Synced(folder) };
        string verdict;
        if (_group.Rank == 0)
        {
            (verdict, string remark) = Conclude(job, folder, arrival);
            rendezvous.Pronounce(verdict);
            return Ended(verdict, remark);
        }
        rendezvous.Tell(arrival);
        string late = arrival.Failure.Length == 0 ? Announced("") : "";
        verdict = rendezvous.AwaitVerdict();
        rendezvous.Pronounce(verdict);
        return Ended(verdict, late);

        SaveResult Ended(string why, string remark) =>
            why.Length == 0 ? result with { Reason = remark } : result with { Status = SaveStatus.Failed, Reason = why };
    }

    // What fails at that point is said like all else that fails.
    private string Announced(string failure)
    {
        try
        {
            options.Probe?.Invoke(SavePoint.Announced);
            return failure;
        }
        catch (IOException problem)
        {
            return NotWritten(problem);
        }
    }

    private string Synced(string folder)
    {
        try
        {
            Posix.SyncDirectory(folder);
            return "";
        }
        catch (IOException problem)
        {
            return NotWritten(problem);
        }
    }

    // Rank 0: why the save failed, or nothing and a remark.
    private (string Verdict, string Remark) Conclude(SaveJob job, string folder, Arrival arrival)
    {
        try
        {
            if (arrival.Failure.Length > 0)
                throw new CheckpointException(arrival.Failure);
            return ("", Commit(job, [.. Enumerable.Range(0, _group.Size).Select(rank => arrival.TableDigests[rank])]));
        }
        catch (Exception problem)
        {
            string why = arrival.Failure.Length > 0 ? arrival.Failure : $"rank 0 could not commit it ({problem.Message})";
            try
            {
                CheckpointFolders.DeletePartial(folder);
            }
            catch (Exception second) when (second is IOException or UnauthorizedAccessException)
            {
                why += $" and its leftovers stay until the next save ({second.Message})";
            }
            // Once it has its name it is a checkpoint, whatever happened then.
            return CheckpointFolders.ReadMarker(CheckpointFolders.Final(directory, job.State.Step))?.Attempt == job.Attempt
                ? ("", problem.Message)
                : (why, "");
        }
    }

    // What happens after the commit cannot undo it: a failure to prune is a remark on a durable save.
    private string Commit(SaveJob job, string[] digests)
    {
        options.Probe?.Invoke(SavePoint.AllDurable);
        new Committer(directory, options).Commit(job.State, _planner.World, job.Attempt, digests);
        committed();
        try
        {
            new Retention(options.Keep, options.KeepEvery, options.Reach).Prune(directory);
            options.Probe?.Invoke(SavePoint.Pruned);
            return "";
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"older checkpoints could not be pruned ({failure.Message})";
        }
    }

    // A file of the rank's own goes at once: the disk may be full.
    private string GiveUp(string folder, Exception failure)
    {
        try
        {
            if (!Image.IsShared)
                File.Delete(Path.Combine(folder, Image.FileName));
        }
        catch (Exception second) when (second is IOException or UnauthorizedAccessException)
        {
            // Rank 0 deletes the folder.
        }
        return NotWritten(failure);
    }

    private string NotWritten(Exception failure) => $"rank {_group.Rank} could not write its part ({failure.Message})";
}
