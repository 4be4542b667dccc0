namespace Uniscale.Programs.Tests.Reference;

/// <summary>
/// What programs do, told by running them on symbols; it shares no code with the checker. Each rank is a coroutine that holds real state:
/// the
/// chain of blocks a value has passed through, the multiset of contributions in a gradient, the version of a parameter. Messages carry such
/// values, and after the step the state of every rank is compared with what one optimizer step must leave. Sends wait for a posted
/// receive and collectives for all their members, as in the strictest transport; a run in which nobody moves is a deadlock.
/// </summary>
internal sealed class ReferenceWorld
{
    private readonly Dictionary<(int From, int To, bool Gradient), Queue<Receipt>> _posted = [];
    private readonly Dictionary<string, Round> _rounds = [];

    public ReferenceWorld(StepSpecification spec) => Spec = spec;

    public StepSpecification Spec { get; }

    /// <summary>Counts events; a loop of all ranks without one is a deadlock.</summary>
    public int Progress { get; set; }

    /// <summary>Runs all programs; null where the outcome is that of a right step, else what is wrong.</summary>
    public static string? WhatIsWrong(StepSpecification spec, IReadOnlyList<StepProgram> programs)
    {
        var world = new ReferenceWorld(spec);
        var ranks = programs.Select(program => new ReferenceRank(world, program.Rank)).ToArray();
        try
        {
            world.RunAll(ranks.Zip(programs, (rank, program) => rank.Run(program).GetEnumerator()).ToArray());
            foreach (var rank in ranks)
                rank.CheckOutcome();
            if (world._posted.Values.Any(queue => queue.Count > 0))
                return "a receive is met by no send";
            return null;
        }
        catch (WrongProgramException wrong)
        {
            return wrong.Message;
        }
    }

    private void RunAll(IEnumerator<bool>[] running)
    {
        bool[] done = new bool[running.Length];
        while (!done.All(d => d))
        {
            int before = Progress;
            for (int rank = 0; rank < running.Length; rank++)
                if (!done[rank])
                    done[rank] = !running[rank].MoveNext();
            if (Progress == before && !done.All(d => d))
                throw new WrongProgramException("deadlock");
        }
    }

    /// <summary>A posted receive, and what came for it.</summary>
    internal sealed class Receipt
    {
        public string? Value { get; set; }
    }

    public Receipt Post(int from, int to, bool gradient)
    {
        var receipt = new Receipt();
        Queue(from, to, gradient).Enqueue(receipt);
        return receipt;
    }

    public bool TrySend(int from, int to, bool gradient, string value)
    {
        if (!Queue(from, to, gradient).TryDequeue(out var receipt))
            return false;
        receipt.Value = value;
        return true;
    }

    private Queue<Receipt> Queue(int from, int to, bool gradient) =>
        _posted.TryGetValue((from, to, gradient), out var queue) ? queue : _posted[(from, to, gradient)] = new();

    /// <summary>One meeting of a group: what it is for and what each member brings.</summary>
    internal sealed class Round(string purpose)
    {
        public string Purpose { get; } = purpose;

        public Dictionary<int, object> Brought { get; } = [];
    }

    /// <summary>Brings something to the meeting of a group that is under way, or opens one.</summary>
    public Round Join(IReadOnlyList<int> group, int rank, string purpose, object brought)
    {
        string key = string.Join(",", group);
        if (!_rounds.TryGetValue(key, out var round))
            round = _rounds[key] = new Round(purpose);
        if (round.Purpose != purpose)
            throw new WrongProgramException($"rank {rank} comes for {purpose} where its group meets for {round.Purpose}");
        round.Brought.Add(rank, brought);
        if (round.Brought.Count == group.Count)
            _rounds.Remove(key);
        return round;
    }
}

/// <summary>A program does something that no right program does, or leaves a wrong outcome.</summary>
internal sealed class WrongProgramException(string message) : Exception(message);
