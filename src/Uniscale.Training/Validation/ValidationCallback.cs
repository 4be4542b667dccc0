using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>Validates; a phase whose <c>stop_above</c> the loss at its end breaks stops the run.</summary>
/// <param name="validator">What to validate on; disposed at the end of the run.</param>
/// <param name="every">Steps between validations; 0: only at ends.</param>
/// <param name="report">Receives the position and the results, on every rank.</param>
public sealed class ValidationCallback(Validator validator, long every, Action<TrainingPosition, IReadOnlyList<ValidationResult>> report)
    : JudgingCallback(every)
{
    /// <inheritdoc/>
    protected override PendingJudgement? PendingOf(RankRuntime runtime) => runtime.PendingValidation;

    /// <inheritdoc/>
    protected override void Remember(RankRuntime runtime, PendingJudgement? pending) => runtime.PendingValidation = pending;

    /// <inheritdoc/>
    protected override (bool Done, string? WhyStop) Judge(RankRuntime runtime, PhaseSection? phase, bool endsPhase)
    {
        if (validator.IsEmpty)
            return (true, null);
        if (validator.Run(runtime, [.. phase?.Evaluate ?? []]) is not { } results)
            return (false, null);
        report(runtime.Position, results);
        return (
            true,
            endsPhase && phase is not null ? WhyOf(phase, ValidationResult.Total([.. results]).Loss, runtime.Position.Step) : null
        );
    }

    /// <inheritdoc/>
    protected override void End() => validator.Dispose();

    /// <summary>Why the run stops after a phase; null: it goes on. A loss that is no number is above any bound.</summary>
    private static string? WhyOf(PhaseSection phase, double loss, long step) =>
        phase.StopAbove is not { } bound || loss <= bound
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"Phase '{phase.Name}' ended after step {step} with a validation loss of {loss:0.####}, above its stop_above = {bound:0.####}."
            );
}
