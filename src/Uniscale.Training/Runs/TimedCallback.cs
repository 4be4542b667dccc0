using System.Diagnostics;
using Uniscale.Telemetry.Accounting;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>Enters the time that a callback takes.</summary>
/// <param name="keeper">The account.</param>
/// <param name="use">What the callback is for.</param>
/// <param name="inner">The callback.</param>
internal sealed class TimedCallback(TimeKeeper keeper, TimeUse use, ITrainingCallback inner) : ITrainingCallback
{
    /// <inheritdoc/>
    public void Started(RankRuntime runtime) => Timed(() => inner.Started(runtime));

    /// <inheritdoc/>
    public void StepStarting(RankRuntime runtime) => Timed(() => inner.StepStarting(runtime));

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome) => Timed(() => inner.StepDone(runtime, outcome));

    /// <inheritdoc/>
    public string? WhyStop => inner.WhyStop;

    /// <inheritdoc/>
    public void WentBack(RankRuntime runtime, Incident incident) => Timed(() => inner.WentBack(runtime, incident));

    /// <inheritdoc/>
    public void Stopping() => Timed(inner.Stopping);

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result) => Timed(() => inner.Ended(runtime, result));

    private void Timed(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            action();
        }
        finally
        {
            keeper.Add(use, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
    }
}
