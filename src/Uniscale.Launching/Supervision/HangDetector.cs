namespace Uniscale.Launching.Supervision;

/// <summary>When a job that does not move is given up. Limits are derived from the job's own steps, so there is nothing to tune.</summary>
public sealed record HangLimits
{
    /// <summary>No hang before this long, however quick the steps.</summary>
    public TimeSpan Minimum { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>A hang after this many times the longest step so far.</summary>
    public double LongestSteps { get; init; } = 5;

    /// <summary>Time until every rank has joined the job.</summary>
    public TimeSpan Start { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Time for preparing to train, and for anything that a rank calls busy: saving, evaluating, loading.</summary>
    public TimeSpan Busy { get; init; } = TimeSpan.FromMinutes(30);
}

/// <summary>Watches the heartbeats of a job.</summary>
public sealed class HangDetector(HangLimits limits)
{
    private static readonly TimeSpan Lifeless = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Observations further apart mean that the observer itself did not run: a laptop slept, or the job was stopped and continued.
    /// </summary>
    private static readonly TimeSpan ObserverPause = TimeSpan.FromSeconds(5);

    private TimeSpan _longestStep;
    private DateTimeOffset? _lastMove;
    private DateTimeOffset _lastObserved = DateTimeOffset.MinValue;
    private DateTimeOffset _observedSince = DateTimeOffset.MinValue;

    /// <summary>How long the job may stand still while no rank is busy.</summary>
    public TimeSpan Limit => Max(limits.Minimum, _longestStep * limits.LongestSteps);

    /// <summary>How long nothing had moved when the job was last observed, busy or not.</summary>
    public TimeSpan Still { get; private set; }

    /// <summary>Takes the heartbeats of now.</summary>
    /// <returns>How long nothing has moved, once that is too long; else null.</returns>
    public TimeSpan? Observe(IReadOnlyList<Heartbeat> beats, DateTimeOffset now)
    {
        if (now - _lastObserved > ObserverPause)
            _observedSince = now;
        _lastObserved = now;
        beats = [.. beats.Where(beat => !beat.HasEnded)];
        if (beats.Count == 0)
            return null;
        var moved = beats.Max(beat => beat.Moved);
        bool isBusy = beats.Any(beat => beat.Busy.Length > 0);
        if (_lastMove is { } last && moved > last && !isBusy)
            _longestStep = Max(_longestStep, moved - last);
        _lastMove = moved;
        var still = Still = now - Later(moved, _observedSince);
        // Whatever a rank is busy with, its process must run.
        if (now - Later(beats.Min(beat => beat.Alive), _observedSince) > Max(limits.Minimum, Lifeless) && still > limits.Minimum)
            return still;
        return still > (isBusy ? limits.Busy : Limit) ? still : null;
    }

    private static DateTimeOffset Later(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;
}
