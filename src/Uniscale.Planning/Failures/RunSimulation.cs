namespace Uniscale.Planning.Failures;

/// <summary>Where the seconds of a run went.</summary>
/// <param name="Useful">Work that counted.</param>
/// <param name="Save">Saves: blocked, and slower while they were written.</param>
/// <param name="Lost">Work that was done again.</param>
/// <param name="Detect">From failures to their detection.</param>
/// <param name="Restart">Restarts.</param>
/// <param name="Waiting">Waits for machines to be repaired.</param>
/// <param name="Slow">Slow machines, and fewer replicas.</param>
/// <param name="Failures">Number of failures.</param>
public readonly record struct RunParts(
    double Useful,
    double Save,
    double Lost,
    double Detect,
    double Restart,
    double Waiting,
    double Slow,
    double Failures
)
{
    /// <summary>Parts of <see cref="Restart"/>; zeros where they are not told apart.</summary>
    public RestartSplit RestartParts { get; init; }

    /// <summary>Length of the run.</summary>
    public double Total => Useful + Save + Lost + Detect + Restart + Waiting + Slow;

    /// <summary>Share of useful time.</summary>
    public double Goodput => Useful / Total;

    /// <summary>Sum of both.</summary>
    public static RunParts operator +(RunParts a, RunParts b) =>
        new(
            a.Useful + b.Useful,
            a.Save + b.Save,
            a.Lost + b.Lost,
            a.Detect + b.Detect,
            a.Restart + b.Restart,
            a.Waiting + b.Waiting,
            a.Slow + b.Slow,
            a.Failures + b.Failures
        )
        {
            RestartParts = a.RestartParts + b.RestartParts,
        };

    /// <summary>A share of it.</summary>
    public static RunParts operator *(double share, RunParts a) =>
        new(
            share * a.Useful,
            share * a.Save,
            share * a.Lost,
            share * a.Detect,
            share * a.Restart,
            share * a.Waiting,
            share * a.Slow,
            share * a.Failures
        )
        {
            RestartParts = share * a.RestartParts,
        };
}

/// <summary>
/// Simulates one run from failure to failure. Between two failures whole cycles of work and save pass at once, so that a run costs as much
/// as it has failures. A save counts once it
/// is written; a failure before that falls back to the save before. Recovery (detection, machines, restart) may itself be struck, and then
/// begins anew.
/// </summary>
public sealed class RunSimulation(JobModel job, FailureModel model, IFailureSource failures, Random random)
{
    private readonly List<(double Back, int Nodes)> _away = [];
    private int _spares = model.Spares;
    private int _missing;
    private double _now;
    private double _safe;
    private double _save,
        _lost,
        _detect,
        _restart,
        _waiting,
        _slow;
    private RestartSplit _restarts;

    /// <summary>Runs to the end of the work.</summary>
    /// <param name="horizon">Seconds after which a run that does not come to its end is given up.</param>
    public RunParts Run(double horizon = double.PositiveInfinity)
    {
        int count = 0;
        int slowNodes = Drawn(model.Nodes, model.SlowShare);
        var next = failures.Next(0);
        while (_now < horizon)
        {
            double pace = (slowNodes > 0 ? model.SlowFactor : 1) * Shrunk();
            double left = job.Work - _safe,
                start = _now;
            double needed = Needed(left, pace);
            if (next.At >= start + needed)
            {
                Account(left, pace, needed);
                _now += needed;
                _safe = job.Work;
                break;
            }
            Advance(next.At - start, pace);
            _now = next.At;
            count++;
            if (slowNodes > 0 && next.Nodes > 0 && random.NextDouble() < (double)slowNodes / model.Nodes)
                slowNodes--;
            next = Recover(next, ref count);
        }
        return new RunParts(_safe, _save, _lost, _detect, _restart, _waiting, _slow, count) { RestartParts = _restarts };
    }

    private double Needed(double work, double pace) => work * pace + Saves(work) * (job.SaveBlocks + job.SlowLoss);

    private double Saves(double work) => Math.Ceiling(work / job.Interval - 1e-9);

    private void Account(double work, double pace, double seconds)
    {
        _slow += work * (pace - 1);
        _save += seconds - work * pace;
    }

    /// <summary>Time passes until a failure: whole cycles count, what comes after the last written save is lost.</summary>
    private void Advance(double seconds, double pace)
    {
        double cycle = job.Interval * pace + job.SaveBlocks + job.SlowLoss;
        double cycles = Math.Floor(seconds / cycle);
        double rest = seconds - cycles * cycle;
        // The last save is still being written when the failure strikes: the one before it is what is left.
        double safe = cycles > 0 && rest < job.SaveWrites ? cycles - 1 : cycles;
        double work = safe * job.Interval;
        _safe += work;
        Account(work, pace, safe * cycle);
        _lost += seconds - safe * cycle;
    }

    /// <summary>Detection, machines and restart; a failure in the middle begins it anew. The failure that strikes next.</summary>
    private Failure Recover(Failure failure, ref int count)
    {
        while (true)
        {
            double ready = _now + model.Detect;
            double machines = TakeOut(failure, ready);
            double end = ready + machines + model.Restart;
            var next = failures.Next(_now);
            double until = Math.Min(end, next.At);
            double detected = Math.Min(until - _now, model.Detect);
            double waited = Math.Clamp(until - ready, 0, machines);
            _detect += detected;
            _waiting += waited;
            double restarted = until - _now - detected - waited;
            _restart += restarted;
            if (model.RestartParts is { } parts)
                _restarts += parts.After(restarted);
            _now = until;
            if (next.At >= end)
                return next;
            count++;
            failure = next;
        }
    }

    /// <summary>Replaces machines that failed: by spares, else by fewer replicas, else by waiting. Seconds of the wait.</summary>
    private double TakeOut(Failure failure, double at)
    {
        Return(at);
        if (failure.Nodes == 0 || (failure.Repair ?? model.Repair) is not { } repair)
            return 0;
        _away.Add((at + repair, failure.Nodes));
        int needed = failure.Nodes + _missing - _spares;
        _spares = Math.Max(0, -needed);
        _missing = Math.Max(0, needed);
        if (_missing == 0)
            return 0;
        int replicas = model.Nodes / model.NodesOfReplica;
        if (model.Elastic && ReplicasGone < replicas)
            return 0;
        double back = at;
        foreach (var (time, _) in _away.OrderBy(away => away.Back).ToArray())
        {
            back = Math.Max(back, time);
            Return(back);
            if (_missing == 0)
                break;
        }
        return back - at;
    }

    private void Return(double at)
    {
        for (int i = _away.Count - 1; i >= 0; i--)
        {
            if (_away[i].Back > at)
                continue;
            int nodes = _away[i].Nodes,
                filled = Math.Min(_missing, nodes);
            _missing -= filled;
            _spares += nodes - filled;
            _away.RemoveAt(i);
        }
    }

    private int ReplicasGone => (_missing + model.NodesOfReplica - 1) / model.NodesOfReplica;

    /// <summary>How much longer the work takes with the replicas that are left.</summary>
    private double Shrunk()
    {
        if (_missing == 0)
            return 1;
        double replicas = Math.Max(1, model.Nodes / model.NodesOfReplica);
        return replicas / Math.Max(1, replicas - ReplicasGone);
    }

    private int Drawn(int nodes, double share)
    {
        int drawn = 0;
        for (int node = 0; share > 0 && node < nodes; node++)
            if (random.NextDouble() < share)
                drawn++;
        return drawn;
    }
}
