namespace Uniscale.Collectives.InProcess;

/// <summary>
/// An operation that all its members have posted, cut into units that any of their threads may claim. Which thread runs a
/// unit does not touch the result, so a member whose processor is busy holds nobody up.
/// </summary>
internal sealed class InProcessOperation(InProcessFabric fabric)
{
    private readonly Lock _failureGate = new();
    private UnitPlan _plan;
    private int _nextUnit;
    private int _finishedUnits;
    private volatile bool _started;
    private volatile bool _isEnded;
    private string? _failure;
    private Action? _whenEnded;

    /// <summary>The members' sides of the operation.</summary>
    public List<InProcessWork> Works { get; } = [];

    /// <summary>True once the result is in place or the operation has failed.</summary>
    public bool IsEnded => _isEnded;

    /// <summary>Why it failed; null if it did not.</summary>
    public string? Failure => _failure;

    /// <summary>Makes the units available. Without any, or with few bytes, the caller runs them here and now.</summary>
    /// <returns>True if the operation has ended, and <paramref name="whenEnded"/> is not called.</returns>
    public bool Start(UnitPlan plan, Action whenEnded)
    {
        _plan = plan;
        foreach (var work in Works)
            work.MarkStarted();
        if (plan.IsSmall)
        {
            for (int unit = 0; unit < plan.UnitCount; unit++)
                RunUnit(unit);
            End();
            return true;
        }
        _whenEnded = whenEnded;
        _started = true;
        foreach (var work in Works)
            fabric.StartedOf(work.WorldRank).Add(this);
        return false;
    }

    /// <summary>Runs units until none is left to claim.</summary>
    public void Help()
    {
        if (!_started)
            return;
        while (true)
        {
            int unit = Interlocked.Increment(ref _nextUnit) - 1;
            if (unit >= _plan.UnitCount)
                return;
            RunUnit(unit);
            if (Interlocked.Increment(ref _finishedUnits) < _plan.UnitCount)
                continue;
            End();
            _whenEnded?.Invoke();
            return;
        }
    }

    /// <summary>Ends an operation that has not started.</summary>
    public void Fail(string reason)
    {
        _failure = reason;
        SetEnded();
    }

    /// <summary>Blocks until the end, working on what <paramref name="worldRank"/>, a member, has started.</summary>
    public void WaitForEnd(int worldRank) => fabric.StartedOf(worldRank).WaitFor(this);

    private void RunUnit(int unit)
    {
        try
        {
            _plan.RunUnit!(unit);
        }
        catch (Exception exception)
        {
            lock (_failureGate)
                _failure ??= exception.Message;
        }
    }

    private void End()
    {
        SetEnded();
        fabric.OperationEnded();
        if (_failure is not null)
            fabric.Fail(_failure);
    }

    private void SetEnded()
    {
        foreach (var work in Works)
            work.MarkEnded(_failure is not null);
        _isEnded = true;
        foreach (var work in Works)
            fabric.StartedOf(work.WorldRank).Wake();
    }
}
