using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Memory;
using Uniscale.Collectives;

namespace Uniscale.Checkpoints.Saving;

/// <summary>
/// Saves of one rank. <see cref="Begin"/> is collective and holds training up for the exchange of plans and the copy to the host buffer;
/// a thread of its own then writes and meets the other ranks' by <see cref="SaveRendezvous"/>. There is never more than one save under way.
/// </summary>
internal sealed class CheckpointWriter(string directory, IProcessGroup group, CheckpointOptions options, Action committed) : IDisposable
{
    private static readonly TimeSpan DisposeGrace = TimeSpan.FromSeconds(30);

    private readonly StagingBuffer _staging = new();
    private readonly CancellationTokenSource _cancelled = new();
    private Task<SaveResult> _current = Task.FromResult(new SaveResult(SaveStatus.Skipped, -1, ""));
    private SavePlan? _plan;
    private WorldPlan? _world;

    public bool Busy => !_current.IsCompleted;

    /// <summary>
    /// Finds the plan and, for asynchronous saves, makes the host buffer ahead of the first; says why a save would be refused now, or null.
    /// Collective.
    /// </summary>
    public string? Prepare(IReadOnlyList<StateSlice> slices, IReadOnlyList<StateTensor>? tensors, bool behind)
    {
        FindPlan(slices, tensors);
        if (behind && Image.SizeBytes <= options.StagingLimitBytes)
            _staging.Reserve(Image.SizeBytes, options.EffectiveThreads);
        string word = GroupExchange.Broadcast(group, group.Rank == 0 ? ClearTheWay() ?? "" : "");
        return word.Length == 0 ? null : word;
    }

    /// <summary>Begins a save; collective.</summary>
    /// <param name="state">What is saved; its memory may change as soon as the call returns, unless <paramref name="staged"/> is
    /// false.</param>
    /// <param name="staged">False writes from the slices' own memory before the call returns.</param>
    public PendingSave Begin(CheckpointState state, bool staged)
    {
        var clock = Stopwatch.StartNew();
        if (options.Busy == BusyPolicy.Skip && staged && GroupExchange.Max(group, Busy ? 1 : 0) > 0)
            return Refuse(state, SaveStatus.Skipped, "the checkpoint before it is still being written");
        _current.Wait();
        FindPlan(state.Slices, state.Tensors);
        string attempt = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4));
        string[] opening = GroupExchange.Broadcast(group, group.Rank == 0 ? Open(state, attempt) : "").Split('\n', 2);
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

    private ShardImage Image => _plan!.Image;

    // Ranks whose slices are the same as at the last save need not tell them again.
    private void FindPlan(IReadOnlyList<StateSlice> slices, IReadOnlyList<StateTensor>? tensors)
    {
        bool isKnown = _plan?.Fits(slices, tensors) == true;
        if (GroupExchange.Max(group, isKnown ? 0 : 1) == 0)
            return;
        string word = "";
        byte[] summary = [];
        try
        {
            _plan = SavePlan.Make(slices, tensors, group.Rank);
            summary = ShardSummary.Of(_plan).ToBytes();
        }
        catch (CheckpointException failure)
        {
            _plan = null;
            word = failure.Message;
        }
        // The first byte says whether a summary or a sentence follows.
        byte[][]? told = GroupExchange.Gather(group, word.Length == 0 ? [1, .. summary] : [0, .. Encoding.UTF8.GetBytes(word)]);
        word = GroupExchange.Broadcast(group, told is null ? "" : PutTogether(told));
        if (word.Length == 0)
            return;
        _plan = null;
        throw new CheckpointException(word);
    }

    // Rank 0: what keeps the ranks' plans from making up all tensors; empty: nothing.
    private string PutTogether(byte[][] told)
    {
        if (told.FirstOrDefault(word => word[0] == 0) is { } sentence)
            return Encoding.UTF8.GetString(sentence.AsSpan(1));
        try
        {
            _world = WorldPlan.Make(_plan!.Tensors, [.. told.Select(word => ShardSummary.Read(word[1..]))]);
            return "";
        }
        catch (CheckpointException failure)
        {
            return failure.Message;
        }
    }

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
            long needed = _world!.TotalBytes + options.ReserveBytes;
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
        var state = job.State;
        // Digests and copies would take a processor from the kernels of the next steps; nobody waits for a save that runs behind them.
        if (staged != 0)
            Posix.YieldProcessor();
        string folder = CheckpointFolders.Partial(directory, state.Step, job.Attempt);
        string final = CheckpointFolders.Final(directory, state.Step);
        var rendezvous = new SaveRendezvous(folder, options.DurableTimeout, _cancelled.Token);
        var result = new SaveResult(SaveStatus.Durable, state.Step, final)
        {
            SizeBytes = Image.Entries.Count == 0 ? 0 : Image.SizeBytes,
            Staging = job.Staging,
        };
        try
        {
            result = WriteShard(folder, staged, addresses, rendezvous, result);
            if (group.Rank == 0)
                result = result with { Reason = CommitWhenAllAreDurable(job, rendezvous) };
            else
                rendezvous.AwaitEnd();
            if (CheckpointFolders.ReadMarker(final)?.Attempt != job.Attempt)
                result = result with { Status = SaveStatus.Failed, Reason = "another rank could not write its part" };
        }
        catch (Exception failure)
        {
            result = result with { Status = SaveStatus.Failed, Reason = GiveUp(job, folder, rendezvous, failure) };
        }
        result = result with { Total = job.Clock.Elapsed, Blocked = staged == 0 ? job.Clock.Elapsed : job.Blocked };
        options.Observer?.Ended(result);
        return result;
    }

    private SaveResult WriteShard(string folder, nint staged, nint[] addresses, SaveRendezvous rendezvous, SaveResult result)
    {
        string tableDigest = "";
        if (Image.Entries.Count > 0)
        {
            string path = Path.Combine(folder, ShardImage.FileName(group.Rank));
            var file = new ShardFile(path, Image, options.Direct, point => options.Probe?.Invoke(point));
            var clock = Stopwatch.StartNew();
            var digests = file.Write(staged, addresses);
            Posix.SyncDirectory(folder);
            result = result with { Writing = clock.Elapsed };
            if (options.ReadBack && !file.ReadsBackAs(digests))
                throw new CheckpointDamagedException($"{path} reads back otherwise than it was written");
            result = result with { ReadBack = clock.Elapsed - result.Writing };
            tableDigest = digests.TableDigest;
        }
        rendezvous.AnnounceDurable(group.Rank, tableDigest);
        options.Probe?.Invoke(SavePoint.Announced);
        return result;
    }

    // What happens after the commit cannot undo it: a failure to prune is a remark on a durable save.
    private string CommitWhenAllAreDurable(SaveJob job, SaveRendezvous rendezvous)
    {
        string[] digests = rendezvous.CollectAll(group.Size);
        options.Probe?.Invoke(SavePoint.AllDurable);
        new Committer(directory, options).Commit(job.State, _world!, job.Attempt, digests);
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

    // The rank's own file goes first: on a full disk its room is what the announcement needs.
    private string GiveUp(SaveJob job, string folder, SaveRendezvous rendezvous, Exception failure)
    {
        string reason = $"rank {group.Rank} could not write its part ({failure.Message})";
        try
        {
            if (group.Rank == 0)
            {
                CheckpointFolders.DeletePartial(folder);
            }
            else
            {
                File.Delete(Path.Combine(folder, ShardImage.FileName(group.Rank)));
                rendezvous.AnnounceFailure(group.Rank, reason);
                rendezvous.AwaitEnd();
            }
        }
        catch (Exception second) when (second is IOException or UnauthorizedAccessException or CheckpointException)
        {
            reason += $" and its leftovers stay until the next save ({second.Message})";
        }
        return reason;
    }
}
