using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Uniscale.Experiments.Sweeps;

/// <summary>How far a run of a sweep came.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RowStatus>))]
public enum RowStatus
{
    /// <summary>It did all of its steps.</summary>
    Finished,

    /// <summary>A stopping rule ended it.</summary>
    Stopped,

    /// <summary>It ended with an error.</summary>
    Failed,

    /// <summary>It goes on, or was never begun.</summary>
    Unfinished,
}

/// <summary>A line of the table.</summary>
/// <param name="Place">From 1, by value; null: without one.</param>
/// <param name="Run">The run.</param>
/// <param name="Status">How far it came.</param>
/// <param name="Step">Step of its value.</param>
/// <param name="Value">Its metric; NaN: none.</param>
/// <param name="Sentence">Why it failed; null: it did not.</param>
public sealed record SweepRow(int? Place, SweepRun Run, RowStatus Status, long Step, double Value, string? Sentence);

/// <summary>
/// The result of a sweep: runs that finished by their value, then those that a rule stopped (who came further is better), then the failed.
/// There are
/// no times in it, so a sweep that was broken and continued gives the same table.
/// </summary>
/// <param name="Plan">The sweep.</param>
/// <param name="Rows">Best first.</param>
public sealed record SweepTable(SweepPlan Plan, IReadOnlyList<SweepRow> Rows)
{
    private static readonly JsonSerializerOptions Format = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Ranks the runs as things stand.</summary>
    public static SweepTable Of(
        SweepPlan plan,
        IReadOnlyList<RunCurve> curves,
        IReadOnlyList<string?> failures,
        IReadOnlyList<StoppingVerdict> verdicts
    )
    {
        var rows = plan
            .Runs.Select(run => Row(run, curves[run.Index], failures[run.Index], verdicts[run.Index].StoppedAt))
            .OrderBy(row => row.Status)
            .ThenByDescending(row => row.Status == RowStatus.Stopped ? row.Step : 0)
            .ThenBy(row => double.IsNaN(row.Value) ? double.PositiveInfinity : row.Value)
            .ThenBy(row => row.Run.Index);
        return new SweepTable(
            plan,
            [.. rows.Select((row, place) => row with { Place = row.Status == RowStatus.Failed ? null : place + 1 })]
        );
    }

    /// <summary>The metric in words.</summary>
    public static string MetricName(SweepMetric metric) => metric == SweepMetric.Validation ? "validation loss" : "training loss";

    /// <summary>A value for people.</summary>
    public static string Short(double value) => double.IsNaN(value) ? "-" : value.ToString("F4", CultureInfo.InvariantCulture);

    /// <summary>As aligned text.</summary>
    public string ToText()
    {
        var keys = Plan.Keys;
        List<string[]> lines =
        [
            ["place", "run", "status", "step", MetricName(Plan.Sweep.Metric), .. keys.Select(ShortKey)],
        ];
        foreach (var row in Rows)
            lines.Add([
                $"{row.Place?.ToString(CultureInfo.InvariantCulture) ?? "-"}",
                row.Run.Name,
                StatusName(row),
                $"{row.Step}",
                Short(row.Value),
                .. keys.Select(key => ValueOf(row, key)),
            ]);
        int[] widths = [.. Enumerable.Range(0, lines[0].Length).Select(column => lines.Max(line => line[column].Length))];
        var text = new StringBuilder();
        foreach (string[] line in lines)
            text.AppendLine(string.Join("  ", line.Zip(widths, (cell, width) => cell.PadRight(width))).TrimEnd());
        foreach (var row in Rows.Where(row => row.Sentence is not null))
            text.AppendLine($"{row.Run.Name}: {row.Sentence}");
        return text.ToString();
    }

    /// <summary>As comma-separated values; numbers in full.</summary>
    public string ToCsv()
    {
        var keys = Plan.Keys;
        var text = new StringBuilder();
        text.AppendJoin(
                ',',
                (IEnumerable<string>)
                    ["place", "run", "status", "step", Plan.Sweep.Metric.ToString().ToLowerInvariant(), .. keys.Select(Quoted), "sentence"]
            )
            .Append('\n');
        foreach (var row in Rows)
            text.AppendJoin(
                    ',',
                    (IEnumerable<string>)
                        [
                            row.Place?.ToString(CultureInfo.InvariantCulture) ?? "",
                            row.Run.Name,
                            StatusName(row),
                            $"{row.Step}",
                            double.IsNaN(row.Value) ? "" : row.Value.ToString("R", CultureInfo.InvariantCulture),
                            .. keys.Select(key => Quoted(ValueOf(row, key))),
                            Quoted(row.Sentence ?? ""),
                        ]
                )
                .Append('\n');
        return text.ToString();
    }

    /// <summary>As JSON; numbers in full.</summary>
    public string ToJson() =>
        JsonSerializer.Serialize(
            new
            {
                Plan.Sweep.Name,
                Metric = Plan.Sweep.Metric.ToString().ToLowerInvariant(),
                Rows = Rows.Select(row => new
                {
                    row.Place,
                    Run = row.Run.Name,
                    Status = StatusName(row),
                    row.Step,
                    row.Value,
                    Values = row.Run.Values.ToDictionary(),
                    row.Sentence,
                    row.Run.Directory,
                }),
            },
            Format
        );

    /// <summary>A status as the table writes it.</summary>
    internal static string StatusName(SweepRow row) => row.Status.ToString().ToLowerInvariant();

    /// <summary>Value of a key in a row; a dash where the run has none of its own.</summary>
    internal static string ValueOf(SweepRow row, string key) => row.Run.Values.FirstOrDefault(pair => pair.Key == key).Value ?? "-";

    /// <summary>The last part of a key, unless another key ends alike.</summary>
    internal string ShortKey(string key)
    {
        string last = key.Split('.')[^1];
        return Plan.Keys.Count(other => other.Split('.')[^1] == last) == 1 ? last : key;
    }

    private static SweepRow Row(SweepRun run, RunCurve curve, string? failure, long? stoppedAt) =>
        (failure, stoppedAt) switch
        {
            ({ } sentence, _) => new(null, run, RowStatus.Failed, curve.LastStep, curve.Last, sentence),
            (_, { } step) => new(null, run, RowStatus.Stopped, step, curve.At(step) ?? double.NaN, null),
            _ => new(null, run, curve.HasFinished ? RowStatus.Finished : RowStatus.Unfinished, curve.LastStep, curve.Last, null),
        };

    private static string Quoted(string cell) =>
        cell.AsSpan().ContainsAny(",\"\n") ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : cell;
}
