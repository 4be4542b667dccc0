using Uniscale.Engine.Training;

namespace Uniscale.Evaluation.Validation;

/// <summary>Validates every N steps, at the end of each phase, and at the end of the run.</summary>
/// <param name="validator">What to validate on; disposed at the end of the run.</param>
/// <param name="every">Steps between validations; 0: only at ends.</param>
/// <param name="report">Receives the position and the results, on every rank.</param>
public sealed class ValidationCallback(
    Validator validator, long every, Action<TrainingPosition, IReadOnlyList<ValidationResult>> report) : ITrainingCallback
{
    private long validated = -1;

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        var position = outcome.Position;
        bool phaseEnds = position.ConsumedTokens >= outcome.Plan.PhaseStartTokens + outcome.Plan.PhaseTokens;
        if (phaseEnds || runtime.IsFinished || (every > 0 && position.Step % every == 0)) Validate(runtime, outcome.Plan.Phase);
    }

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        if (result.Reason == StopReason.Finished && validated != result.Position.Step && result.Last is { } last) Validate(runtime, last.Plan.Phase);
        validator.Dispose();
    }

    private void Validate(RankRuntime runtime, int phase)
    {
        if (validator.IsEmpty) return;
        validated = runtime.Position.Step;
        var phases = runtime.Configuration.Phases;
        runtime.Settle();
        report(runtime.Position, validator.Run(runtime, [.. phase < phases.Count ? phases[phase].Evaluate : []]));
    }
}
