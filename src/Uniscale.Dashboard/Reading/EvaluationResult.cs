using System.Globalization;
using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A score of a task.</summary>
/// <param name="Value">NaN: it is no number.</param>
/// <param name="Error">Standard error; NaN: none is told.</param>
public sealed record ExamScore(string Task, string Metric, double Value, double Error)
{
    /// <summary>Metrics that are no shares of a whole.</summary>
    private static readonly string[] Plain = ["perplexity", "bits_per_byte", "score"];

    /// <summary>Whether the value is a share, 0 to 1, which people read as per cent.</summary>
    public bool IsShare => !Plain.Any(word => Metric.Contains(word, StringComparison.Ordinal));

    /// <summary>The value with its error, for a table.</summary>
    public string Shown
    {
        get
        {
            if (!double.IsFinite(Value))
                return "no number";
            var (factor, format, unit) = IsShare ? (100, "0.00", "%") : (1, "0.####", "");
            string error = double.IsFinite(Error) ? $" ± {(factor * Error).ToString(format, CultureInfo.InvariantCulture)}" : "";
            return (factor * Value).ToString(format, CultureInfo.InvariantCulture) + error + unit;
        }
    }
}

/// <summary>A results file of <c>uniscale evaluate</c>, in the layout of lm-evaluation-harness.</summary>
/// <param name="File">Name below the run's folder.</param>
/// <param name="Date">When it was; null: not told.</param>
/// <param name="Digest">Names the weights; empty: not told.</param>
/// <param name="Scores">Scores by task and metric, in the order of the file.</param>
/// <param name="Parts">Tasks that are parts of a group, such as the subjects of an exam.</param>
/// <param name="Method">Whose rules held, by task: variant, scoring, shots.</param>
/// <param name="Questions">How many were asked, by task.</param>
public sealed record EvaluationResult(
    string File,
    DateTimeOffset? Date,
    string Digest,
    IReadOnlyList<ExamScore> Scores,
    IReadOnlySet<string> Parts,
    IReadOnlyDictionary<string, string> Method,
    IReadOnlyDictionary<string, string> Questions
)
{
    private const int MostTasks = 2_000,
        MostFields = 100,
        MostScores = 20_000;

    private static readonly DateTimeOffset LastDate = new(9000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>Reads a results file.</summary>
    /// <returns>Null: it cannot be read, or is none.</returns>
    internal static EvaluationResult? Read(RunsFolder door, string run, string file)
    {
        if (JsonReport.Read(door, run, file) is not { ValueKind: JsonValueKind.Object } root || !root.Fields("results").Any())
            return null;
        double date = root.Number("date");
        return new EvaluationResult(
            file,
            date > 0 && date < LastDate.ToUnixTimeSeconds() ? DateTimeOffset.FromUnixTimeSeconds((long)date) : null,
            root.TryGetProperty("config", out var config) ? config.Text("model_digest") ?? "" : "",
            [.. root.Fields("results").Take(MostTasks).SelectMany(task => ScoresOf(task.Name, task.Value)).Take(MostScores)],
            root.Fields("group_subtasks")
                .Where(group => group.Value.ValueKind == JsonValueKind.Array)
                .SelectMany(group => group.Value.EnumerateArray())
                .Select(part => part.ToString())
                .ToHashSet(StringComparer.Ordinal),
            ByName(root, "configs", MethodOf),
            ByName(root, "n-samples", count => count.Text("effective") ?? "")
        );
    }

    private static Dictionary<string, string> ByName(JsonElement root, string field, Func<JsonElement, string> text)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in root.Fields(field).Take(MostTasks))
            found[entry.Name] = text(entry.Value);
        return found;
    }

    private static string MethodOf(JsonElement task) =>
        string.Join(
            ", ",
            new[]
            {
                task.Text("variant"),
                task.Text("scoring"),
                task.Text("num_fewshot") is { } shots ? $"{shots} shots" : null,
                task.Text("limit") is { } limit ? $"the first {limit} of each subject" : null,
            }.OfType<string>()
        );

    /// <summary>The fields <c>METRIC,FILTER</c> and <c>METRIC_stderr,FILTER</c> of a task.</summary>
    private static IEnumerable<ExamScore> ScoresOf(string task, JsonElement scores)
    {
        const string error = "_stderr";
        if (scores.ValueKind != JsonValueKind.Object)
            yield break;
        foreach (var field in scores.EnumerateObject().Take(MostFields))
        {
            int comma = field.Name.LastIndexOf(',');
            if (comma < 0 || field.Name[..comma].EndsWith(error, StringComparison.Ordinal))
                continue;
            var (metric, filter) = (field.Name[..comma], field.Name[(comma + 1)..]);
            yield return new ExamScore(
                task,
                filter == "none" ? metric : field.Name,
                scores.Number(field.Name),
                scores.Number($"{metric}{error},{filter}")
            );
        }
    }
}
