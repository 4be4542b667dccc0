using Uniscale.Launching.Supervision;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>
/// Beats after every step, and counts what callbacks do between steps (saving, validation) as busy, so that the limit for a hang is that of
/// the steps alone.
/// </summary>
/// <param name="monitor">Takes the signs of life.</param>
/// <param name="inner">Callbacks of the rank, in order.</param>
public sealed class MonitoredCallbacks(IRunMonitor monitor, IReadOnlyList<ITrainingCallback> inner) : ITrainingCallback
{
    /// <inheritdoc/>
    public void Started(RankRuntime runtime)
    {
        foreach (var callback in inner)
            callback.Started(runtime);
    }

    /// <inheritdoc/>
    public void StepStarting(RankRuntime runtime)
    {
        foreach (var callback in inner)
            callback.StepStarting(runtime);
    }

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        monitor.Beat(outcome.Position.Step);
        using var busy = monitor.Busy("between steps");
        foreach (var callback in inner)
            callback.StepDone(runtime, outcome);
    }

    /// <inheritdoc/>
    public string? WhyStop => inner.Select(callback => callback.WhyStop).FirstOrDefault(why => why is not null);

    /// <inheritdoc/>
    public void WentBack(RankRuntime runtime, Incident incident)
    {
        monitor.Beat(runtime.Position.Step);
        using var busy = monitor.Busy("between steps");
        foreach (var callback in inner)
            callback.WentBack(runtime, incident);
    }

    /// <inheritdoc/>
    public void Stopping()
    {
        using var busy = monitor.Busy("ending");
        foreach (var callback in inner)
            callback.Stopping();
    }

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        using var busy = monitor.Busy("ending");
        foreach (var callback in inner)
            callback.Ended(runtime, result);
    }
}
