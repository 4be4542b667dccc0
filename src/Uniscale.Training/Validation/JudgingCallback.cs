using Uniscale.Configuration;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>
/// Judges the weights every N steps, at the end of each phase, and at the end of the run. What a stop interrupts is remembered with the
/// run, to be done when it goes on.
/// </summary>
/// <param name="every">Steps between judgements; 0: only at ends.</param>
public abstract class JudgingCallback(long every) : ITrainingCallback
{
    private long _judged = -1;

    /// <inheritdoc/>
    public string? WhyStop { get; private set; }

    /// <inheritdoc/>
    public void Started(RankRuntime runtime)
    {
        if (PendingOf(runtime) is { } pending)
            Judge(runtime, pending.Phase, pending.EndsPhase);
    }

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        WhyStop = null;
        var position = outcome.Position;
        // The weights that a run goes back to were judged when it came there first.
        if (outcome.Incident is { Action: BadStepAction.Rollback })
            return;
        bool phaseEnds = position.ConsumedTokens >= outcome.Plan.PhaseStartTokens + outcome.Plan.PhaseTokens;
        if (!phaseEnds && !runtime.IsFinished && (every == 0 || position.Step % every != 0))
            return;
        Judge(runtime, outcome.Plan.Phase, phaseEnds);
    }

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        if (result.Reason == StopReason.Finished && _judged != result.Position.Step && result.Last is { } last)
            Judge(runtime, last.Plan.Phase, endsPhase: false);
        End();
    }

    /// <summary>What the checkpoint says is still to be done; null: nothing.</summary>
    protected abstract PendingJudgement? PendingOf(RankRuntime runtime);

    /// <summary>Remembers what is still to be done.</summary>
    protected abstract void Remember(RankRuntime runtime, PendingJudgement? pending);

    /// <summary>
    /// Judges the weights. Collective. Returns whether it was done (a stop may have come), and why the run stops at the end of this phase;
    /// null: it goes on.
    /// </summary>
    /// <param name="runtime">The run.</param>
    /// <param name="phase">The phase; null: the run has none.</param>
    /// <param name="endsPhase">Whether this is its end.</param>
    protected abstract (bool Done, string? WhyStop) Judge(RankRuntime runtime, PhaseSection? phase, bool endsPhase);

    /// <summary>The run is over.</summary>
    protected virtual void End() { }

    private void Judge(RankRuntime runtime, int phase, bool endsPhase)
    {
        _judged = runtime.Position.Step;
        var phases = runtime.Configuration.Phases;
        runtime.Settle();
        var (done, why) = Judge(runtime, phase < phases.Count ? phases[phase] : null, endsPhase);
        Remember(runtime, done ? null : new PendingJudgement(phase, endsPhase));
        WhyStop = why;
    }
}
