namespace Uniscale.Launching.Supervision;

/// <summary>A fault of a job.</summary>
/// <param name="Kind">What happened, without what differs from time to time: an exception's type, a signal, a hang.</param>
/// <param name="Step">Step that was reached.</param>
/// <param name="Rank">First rank to fail; -1 if unknown.</param>
/// <param name="Host">Its host; empty if unknown.</param>
/// <param name="Message">What is to be said.</param>
public sealed record Fault(string Kind, long Step, int Rank, string Host, string Message)
{
    /// <summary>Hosts that are at fault for certain, as the preflight has found.</summary>
    public IReadOnlyList<string> Refused { get; init; } = [];
}

/// <summary>
/// How often a job may be restarted. Faults of hardware and network move about; one that comes back at the same step is the program's or
/// the
/// data's, and starting again will not help.
/// </summary>
/// <param name="maxRestarts">Restarts in all.</param>
/// <param name="maxSameFault">Times that one kind of fault may happen at one step before the job is given up.</param>
public sealed class RestartBudget(int maxRestarts, int maxSameFault = 3)
{
    private readonly Dictionary<(string Kind, long Step), int> _seen = [];
    private int _restarts;

    /// <summary>Restarts so far.</summary>
    public int Restarts => _restarts;

    /// <summary>Whether a fault, not yet counted, has now come back so often that starting again as before will not help.</summary>
    public bool HasComeBack(Fault fault) => _seen.GetValueOrDefault((fault.Kind, fault.Step)) + 1 >= maxSameFault;

    /// <summary>Begins to count a fault anew, for a job that is not started as before.</summary>
    public void Forget(Fault fault) => _seen.Remove((fault.Kind, fault.Step));

    /// <summary>Counts a fault and takes a restart out of the budget.</summary>
    /// <returns>Null if there was one; else why not, in a sentence.</returns>
    public string? Spend(Fault fault)
    {
        int seen = _seen[(fault.Kind, fault.Step)] = _seen.GetValueOrDefault((fault.Kind, fault.Step)) + 1;
        if (maxRestarts == 0)
            return "restarts are not allowed (--max-restarts 0)";
        if (seen >= maxSameFault)
            return $"the same fault ({fault.Kind}) has come back {seen} times at step {fault.Step}, so starting again will not help";
        if (_restarts >= maxRestarts)
            return $"all {maxRestarts} restarts are spent (--max-restarts)";
        _restarts++;
        return null;
    }
}
