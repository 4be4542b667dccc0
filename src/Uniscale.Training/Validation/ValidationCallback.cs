using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>
/// Validates every N steps, at the end of each phase, and at the end of the run; a phase whose rule the result breaks stops the run.
/// </summary>
/// <param name="validator">What to validate on; disposed at the end of the run.</param>
/// <param name="every">Steps between validations; 0: only at ends.</param>
/// <param name="report">Receives the position and the results, on every rank.</param>
public sealed class ValidationCallback(Validator validator, long every, Action<TrainingPosition, IReadOnlyList<ValidationResult>> report)
    : ITrainingCallback
{
    private long _validated = -1;

    /// <inheritdoc/>
    public void Started(RankRuntime runtime)
    {
        if (runtime.PendingValidation is { } pending)
            Validate(runtime, pending.Phase, pending.EndsPhase);
    }

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        var position = outcome.Position;
        bool phaseEnds = position.ConsumedTokens >= outcome.Plan.PhaseStartTokens + outcome.Plan.PhaseTokens;
        WhyStop = null;
        if (!phaseEnds && !runtime.IsFinished && (every == 0 || position.Step % every != 0))
            return;
        Validate(runtime, outcome.Plan.Phase, phaseEnds);
    }

    /// <inheritdoc/>
    public string? WhyStop { get; private set; }

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        if (result.Reason == StopReason.Finished && _validated != result.Position.Step && result.Last is { } last)
            Validate(runtime, last.Plan.Phase, endsPhase: false);
        validator.Dispose();
    }

    /// <summary>Why the run stops after a phase; null: it goes on. A loss that is no number is above any bound.</summary>
    private static string? Judge(PhaseSection phase, double loss, long step) =>
        phase.StopAbove is not { } bound || loss <= bound
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"Phase '{phase.Name}' ended after step {step} with a validation loss of {loss:0.####}, above its stop_above = {bound:0.####}."
            );

    /// <summary>
    /// Validates and, at the end of a phase, judges it. What a stop interrupts is remembered with the run, to be done when it goes on.
    /// </summary>
    private void Validate(RankRuntime runtime, int phase, bool endsPhase)
    {
        if (validator.IsEmpty)
            return;
        _validated = runtime.Position.Step;
        var phases = runtime.Configuration.Phases;
        runtime.Settle();
        var results = validator.Run(runtime, [.. phase < phases.Count ? phases[phase].Evaluate : []]);
        runtime.PendingValidation = results is null ? new PendingValidation(phase, endsPhase) : null;
        if (results is null)
            return;
        report(runtime.Position, results);
        if (endsPhase && phase < phases.Count)
            WhyStop = Judge(phases[phase], ValidationResult.Total([.. results]).Loss, runtime.Position.Step);
    }
}
