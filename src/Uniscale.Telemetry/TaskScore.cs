using System.Globalization;
using System.Text.Json;

namespace Uniscale.Telemetry;

/// <summary>What a run's metrics tell of a task that its model was asked.</summary>
/// <param name="Task">The task.</param>
/// <param name="Step">Step after which it was asked.</param>
/// <param name="ConsumedTokens">Tokens of the run up to then.</param>
/// <param name="Phase">Phase of the last step; null: the run has none.</param>
/// <param name="Metric">The metric that counts.</param>
/// <param name="Score">Its value.</param>
/// <param name="Error">Its standard error; null: there is none.</param>
/// <param name="Questions">Questions that were asked.</param>
/// <param name="Method">By which rules, in words.</param>
/// <param name="IsPart">Whether it is a part of another task.</param>
public sealed record TaskScore(
    string Task,
    long Step,
    long ConsumedTokens,
    string? Phase,
    string Metric,
    double Score,
    double? Error,
    int Questions,
    string Method,
    bool IsPart
)
{
    /// <summary>The score in words, e.g. <c>acc 0.3120 ± 0.0150</c>.</summary>
    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Metric} {Score:0.0000}{(Error is { } error ? string.Create(CultureInfo.InvariantCulture, $" ± {error:0.0000}") : "")}"
        );

    /// <summary>All that a metrics file tells, in its order; nothing where there is no file.</summary>
    public static IReadOnlyList<TaskScore> Read(string path)
    {
        var scores = new List<TaskScore>();
        if (File.Exists(path))
            MetricsFile.Read(
                path,
                record =>
                {
                    if (record.GetProperty("kind").GetString() == "evaluation")
                        scores.Add(Of(record));
                },
                mayBeginLate: true
            );
        return scores;
    }

    /// <summary>A record of kind <c>evaluation</c>.</summary>
    public static TaskScore Of(JsonElement record)
    {
        string metric = record.GetProperty("metric").GetString()!;
        var score = record.GetProperty("scores").GetProperty(metric);
        return new TaskScore(
            record.GetProperty("task").GetString()!,
            record.GetProperty("step").GetInt64(),
            record.GetProperty("consumed_tokens").GetInt64(),
            record.TryGetProperty("phase", out var phase) ? phase.GetString() : null,
            metric,
            score.ValueKind == JsonValueKind.Number ? score.GetDouble() : double.NaN,
            record.GetProperty("errors").TryGetProperty(metric, out var error) && error.ValueKind == JsonValueKind.Number
                ? error.GetDouble()
                : null,
            record.GetProperty("questions").GetInt32(),
            record.GetProperty("method").GetString() ?? "",
            record.GetProperty("is_part").GetBoolean()
        );
    }
}
