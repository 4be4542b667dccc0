using Uniscale.Collectives.Messages;

namespace Uniscale.Collectives.InProcess;

/// <summary>What the ranks of an in-process world share: their threads, their groups, and the first failure, which ends all.</summary>
internal sealed class InProcessFabric : IDisposable
{
    private readonly Lock _gate = new();
    private readonly StartedOperations[] _started;
    private readonly List<GroupState> _groups = [];
    private readonly bool[] _left;
    private int _runningOperations;
    private volatile string? _failure;

    public InProcessFabric(int size, bool hasThreads)
    {
        Size = size;
        _left = new bool[size];
        Inboxes = [.. Enumerable.Range(0, size).Select(_ => new Inbox())];
        _started = [.. Enumerable.Range(0, size).Select(rank => new StartedOperations(rank, hasThreads))];
        _groups.Add(new GroupState(this, "world", [.. Enumerable.Range(0, size)]));
    }

    public int Size { get; }

    /// <summary>Why nothing works any more, or null.</summary>
    public string? Failure => _failure;

    public GroupState World => _groups[0];

    /// <summary>Messages for each rank.</summary>
    public Inbox[] Inboxes { get; }

    /// <summary>What a rank may work on.</summary>
    public StartedOperations StartedOf(int rank) => _started[rank];

    public bool HasLeft(int rank) => Volatile.Read(ref _left[rank]);

    /// <summary>The group that is the <paramref name="index"/>-th to be made; made by the first rank that asks.</summary>
    public GroupState GroupAt(int index, int rank, IReadOnlyList<int> worldRanks, string name)
    {
        GroupState group;
        lock (_gate)
        {
            if (index == _groups.Count)
                _groups.Add(new GroupState(this, name, worldRanks));
            group = _groups[index];
        }
        if (group.Name != name || !group.WorldRanks.SequenceEqual(worldRanks))
            Fail($"rank {rank} makes group {name} where another rank made {group.Name}: all ranks make the same groups in the same order");
        return _failure is { } failure ? throw new CollectiveException($"rank {rank}: making group {name} failed: {failure}") : group;
    }

    /// <summary>
    /// The first failure ends everything: operations that have not started fail, those that have are finished, so that no memory
    /// of the caller is touched once this returns.
    /// </summary>
    public void Fail(string reason)
    {
        GroupState[] groups;
        lock (_gate)
        {
            _failure ??= reason;
            groups = [.. _groups];
        }
        foreach (var group in groups)
            group.FailPending(_failure);
        foreach (var inbox in Inboxes)
            inbox.Fail(_failure);
        SpinWait.SpinUntil(() =>
        {
            foreach (var started in _started)
                started.Finish();
            return Volatile.Read(ref _runningOperations) == 0;
        });
    }

    /// <summary>A rank has gone; who waits for it would wait for ever. The last one ends the threads.</summary>
    public void Leave(int rank)
    {
        if (Interlocked.Exchange(ref _left[rank], true))
            return;
        GroupState[] groups;
        lock (_gate)
            groups = [.. _groups];
        foreach (var group in groups)
            if (group.IsWaitingFor(rank))
                Fail(LeftReason(rank));
        if (_left.All(left => left))
            Dispose();
    }

    public static string LeftReason(int rank) => $"rank {rank} left the job while operations with it were pending";

    /// <summary>Called under the lock of the group, so that <see cref="Fail"/> misses no operation that is about to run.</summary>
    public void OperationStarted() => Interlocked.Increment(ref _runningOperations);

    public void OperationEnded() => Interlocked.Decrement(ref _runningOperations);

    public void Dispose() => Array.ForEach(_started, started => started.Dispose());
}
