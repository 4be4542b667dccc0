using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Telemetry;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>Validation as a part of training: its results go to the telemetry of rank 0.</summary>
public static class ValidationReports
{
    /// <summary>The callback of a rank; none where the configuration names nothing to validate on.</summary>
    public static IEnumerable<ITrainingCallback> Callbacks(RankRuntime runtime, RunTelemetry telemetry) =>
        Callbacks(runtime, telemetry, _ => new Dictionary<string, double>());

    /// <summary>The same, with more to measure of each source.</summary>
    /// <param name="runtime">The rank.</param>
    /// <param name="telemetry">Receives the results of rank 0.</param>
    /// <param name="measure">Measures a source by its name; collective, on every rank.</param>
    public static IEnumerable<ITrainingCallback> Callbacks(
        RankRuntime runtime,
        RunTelemetry telemetry,
        Func<string, IReadOnlyDictionary<string, double>> measure
    )
    {
        var configuration = runtime.Configuration;
        if (configuration.Data.Validation.Count == 0)
            return [];
        var validator = new Validator(configuration, ByteLengths(configuration));
        bool tells = runtime.World.Rank == 0;
        return
        [
            new ValidationCallback(
                validator,
                configuration.Evaluation.Every,
                (position, results) =>
                {
                    results = [.. results.Select(result => result with { Averages = measure(result.Name) })];
                    if (!tells)
                        return;
                    foreach (var result in results.Count > 1 ? [.. results, ValidationResult.Total(results.ToList())] : results)
                        telemetry.Validation(ReportOf(position, result));
                }
            ),
        ];
    }

    private static ValidationReport ReportOf(TrainingPosition position, ValidationResult result) =>
        new()
        {
            Step = position.Step,
            ConsumedTokens = position.ConsumedTokens,
            Name = result.Name,
            Domain = result.Domain,
            Loss = result.Loss,
            BitsPerByte = result.ByteCount > 0 ? result.BitsPerByte : null,
            Tokens = result.TokenCount,
            Measures =
                result.Measures.Count + result.Averages.Count == 0
                    ? null
                    : new Dictionary<string, double>([
                        .. result.Measures.Select(measure =>
                            KeyValuePair.Create(measure.Key, measure.Value / Math.Max(1, result.TokenCount))
                        ),
                        .. result.Averages,
                    ]),
        };

    private static int[] ByteLengths(RunConfiguration configuration)
    {
        if (configuration.Data.Tokenizer is not { } path)
            return [];
        using var tokenizer = Tokenizer.Load(path);
        return tokenizer.ByteLengths();
    }
}
