using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives.InProcess;

/// <summary>Where the members of a group meet: collectives by their place in the order, messages by sender, receiver and tag.</summary>
internal sealed class GroupState(InProcessFabric fabric, string name, IReadOnlyList<int> worldRanks)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, Rendezvous> _rendezvous = [];
    private readonly Mailbox _mailbox = new();
    private readonly long[] _nextSequence = new long[worldRanks.Count];
    private readonly long[] _nextMessage = new long[worldRanks.Count];
    private long _current;
    private bool _running;

    public string Name { get; } = name;

    public SharedBlocks Shared { get; } = new(name, worldRanks.Count);

    public IReadOnlyList<int> WorldRanks { get; } = worldRanks;

    /// <summary>Posts a collective of one member.</summary>
    public IWork PostCollective(int member, in OperationSignature signature, CommBuffer input, CommBuffer output, CollectiveJournal journal)
    {
        InProcessWork work;
        string? fault;
        lock (_gate)
        {
            long sequence = _nextSequence[member]++;
            if (!_rendezvous.TryGetValue(sequence, out var meeting))
                _rendezvous[sequence] = meeting = new Rendezvous(new InProcessOperation(fabric), WorldRanks.Count);
            work = new InProcessWork(meeting.Operation, Name, WorldRanks[member], sequence, signature, journal);
            fault = meeting.Join(member, work, input, output, this, sequence) ?? fabric.Failure ?? Absent(sequence);
        }
        if (fault is null)
            RunReady();
        else
            fabric.Fail(fault);
        return work;
    }

    /// <summary>Posts one side of a message.</summary>
    public IWork PostMessage(int member, in OperationSignature signature, CommBuffer buffer, CollectiveJournal journal)
    {
        bool isSend = signature.Kind == OperationKind.Send;
        var route = isSend ? new Route(member, signature.Peer, signature.Tag) : new Route(signature.Peer, member, signature.Tag);
        Letter letter;
        Letter? match;
        string? fault;
        lock (_gate)
        {
            var operation = _mailbox.Other(route, isSend)?.Operation ?? new InProcessOperation(fabric);
            var work = new InProcessWork(operation, Name, WorldRanks[member], _nextMessage[member]++, signature, journal);
            operation.Works.Add(work);
            letter = new Letter(operation, work, buffer);
            match = _mailbox.Match(route, isSend, letter);
            fault = fabric.Failure;
            if (match is not null)
                fault ??= Mismatch(match, letter);
            else if (fabric.HasLeft(WorldRanks[signature.Peer]))
                fault ??= InProcessFabric.LeftReason(WorldRanks[signature.Peer]);
            if (match is not null && fault is null)
                fabric.OperationStarted();
        }
        if (fault is not null)
        {
            if (match is not null)
                letter.Operation.Fail(fault);
            fabric.Fail(fault);
        }
        else if (match is not null)
        {
            var (source, destination) = isSend ? (buffer, match.Buffer) : (match.Buffer, buffer);
            letter.Operation.Start(UnitPlan.Message(source, destination), static () => { });
        }
        return letter.Work;
    }

    /// <summary>True if something cannot complete without this rank, or without its memory.</summary>
    public bool IsWaitingFor(int worldRank)
    {
        int member = IndexOf(worldRank);
        if (member < 0)
            return false;
        lock (_gate)
            return _rendezvous.Keys.Any(sequence => !IsRunning(sequence)) || _mailbox.Involves(member);
    }

    /// <summary>Fails what has not started.</summary>
    public void FailPending(string reason)
    {
        List<InProcessOperation> pending;
        lock (_gate)
        {
            var waiting = _rendezvous.Where(entry => !IsRunning(entry.Key)).ToList();
            foreach (var (sequence, _) in waiting)
                _rendezvous.Remove(sequence);
            pending = [.. waiting.Select(entry => entry.Value.Operation), .. _mailbox.TakeAll()];
        }
        foreach (var operation in pending)
            operation.Fail(reason);
    }

    /// <summary>Starts what is next in the order and complete; small operations end here, others come back when they end.</summary>
    private void RunReady()
    {
        while (true)
        {
            Rendezvous? next;
            lock (_gate)
            {
                if (_running || !_rendezvous.TryGetValue(_current, out next) || !next.IsComplete)
                    return;
                _running = true;
                fabric.OperationStarted();
            }
            if (!next.Operation.Start(next.Plan(), WhenEnded))
                return;
            Advance();
        }
    }

    private void WhenEnded()
    {
        Advance();
        RunReady();
    }

    private void Advance()
    {
        lock (_gate)
        {
            _rendezvous.Remove(_current++);
            _running = false;
        }
    }

    private bool IsRunning(long sequence) => _running && sequence == _current;

    private string? Absent(long sequence)
    {
        for (int member = 0; member < WorldRanks.Count; member++)
            if (_nextSequence[member] <= sequence && fabric.HasLeft(WorldRanks[member]))
                return InProcessFabric.LeftReason(WorldRanks[member]);
        return null;
    }

    private string? Mismatch(Letter first, Letter second)
    {
        var (a, b) = (first.Work.Signature, second.Work.Signature);
        return a.Count == b.Count && a.Type == b.Type
            ? null
            : $"the two sides of a message in group {Name} differ: rank {first.Work.WorldRank} posted a {a}, rank {second.Work.WorldRank} a {b}";
    }

    private int IndexOf(int worldRank)
    {
        for (int i = 0; i < WorldRanks.Count; i++)
            if (WorldRanks[i] == worldRank)
                return i;
        return -1;
    }
}
