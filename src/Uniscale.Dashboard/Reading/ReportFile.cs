using System.Globalization;
using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>What a report in the served folder tells of.</summary>
public enum ReportKind
{
    /// <summary>JSON of another kind, shown as it stands.</summary>
    Other,

    /// <summary>A run that was priced: <c>plan --json</c>.</summary>
    Plan,

    /// <summary>Layouts that were compared: <c>plan search --json</c>.</summary>
    Search,

    /// <summary>Failures over the life of a run: <c>plan simulate --json</c>.</summary>
    Simulation,

    /// <summary>A matrix of injected faults: <c>faults --json</c>, or the results file of its folder.</summary>
    Faults,
}

/// <summary>A report in the served folder.</summary>
/// <param name="Name">Its place below the folder.</param>
/// <param name="Kind">What it tells of, by its fields.</param>
/// <param name="Content">What it says; null: it cannot be read as JSON.</param>
public sealed record ReportFile(string Name, ReportKind Kind, JsonElement? Content)
{
    private const string MatrixResults = "results.jsonl";

    private const double SecondsOfADay = 86_400;

    private const int MostFolders = 1_000,
        LongestReport = 32 << 20;

    private static readonly string[] Folders = ["", "plans", "reports"];

    /// <summary>
    /// Names of the reports: JSON files in the served folder and its folders plans and reports, and results of fault matrices.
    /// </summary>
    internal static IReadOnlyList<string> List(RunsFolder door) =>
        [
            .. Folders.SelectMany(folder =>
                door.Files(Path.Combine(door.FullPath, folder), "*.json").Select(name => Path.Combine(folder, name))
            ),
            .. door
                .Folders(door.FullPath, "*")
                .Take(MostFolders)
                .Where(folder => door.Files(Path.Combine(door.FullPath, folder), MatrixResults).Count > 0)
                .Select(folder => $"{folder}/{MatrixResults}"),
        ];

    /// <summary>Reads a report that <see cref="List"/> names.</summary>
    internal static ReportFile Read(RunsFolder door, string name, int longest = int.MaxValue)
    {
        var content = JsonReport.Read(door, door.FullPath, name, Math.Min(longest, LongestReport));
        return new ReportFile(name, content is { } known ? KindOf(known) : ReportKind.Other, content);
    }

    /// <summary>What it says in a few words; empty: that is for its page.</summary>
    public string InShort => Content is { } content ? Summary(content) : "too long for this list, or no JSON";

    private string Summary(JsonElement content)
    {
        var cells = FaultCell.Of(this);
        FormattableString text = Kind switch
        {
            ReportKind.Plan =>
                $"{Number("run", "days"):0.##} days, {Number("step", "seconds"):0.###} s a step, MFU {100 * Number("step", "mfu"):0.0}%",
            ReportKind.Search => $"{content.Number("considered"):N0} layouts considered, {content.Items("best").Count()} shown",
            ReportKind.Simulation =>
                $"goodput {100 * content.Number("goodput"):0.00}%, {content.Number("total_seconds") / SecondsOfADay:0.##} days",
            ReportKind.Faults => $"{cells.Count} cells, {cells.Count(cell => cell.IsFailed)} not as promised",
            _ => $"",
        };
        return text.ToString(CultureInfo.InvariantCulture);

        double Number(string part, string name) => content.TryGetProperty(part, out var value) ? value.Number(name) : double.NaN;
    }

    private static ReportKind KindOf(JsonElement root) =>
        root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0 && FaultCell.IsOne(root[0]) ? ReportKind.Faults
        : root.ValueKind != JsonValueKind.Object ? ReportKind.Other
        : root.Fields("step").Any() && root.Fields("run").Any() ? ReportKind.Plan
        : root.Items("best").Any() && root.TryGetProperty("considered", out _) ? ReportKind.Search
        : root.Fields("job").Any() && root.TryGetProperty("goodput", out _) ? ReportKind.Simulation
        : ReportKind.Other;
}

/// <summary>A cell of a matrix of faults.</summary>
/// <param name="Outcome">identical, promised, impossible or failed.</param>
/// <param name="Detect">Seconds until it was noticed; NaN: it was not, or need not be.</param>
/// <param name="Back">Seconds until the lost step was done again; NaN: it was not.</param>
public sealed record FaultCell(string Case, string Layout, string Outcome, string ExitCode, double Detect, double Back, string Problem)
{
    private const int MostCells = 5_000;

    /// <summary>Whether it is not as promised.</summary>
    public bool IsFailed => Outcome == "failed";

    /// <summary>The cells of a report, of its results file or its JSON.</summary>
    internal static IReadOnlyList<FaultCell> Of(ReportFile report) =>
        report.Content is { ValueKind: JsonValueKind.Array } list
            ? [.. list.EnumerateArray().Where(IsOne).Take(MostCells).Select(Read)]
            : [];

    /// <summary>Whether JSON is a cell.</summary>
    internal static bool IsOne(JsonElement cell) =>
        Inner(cell) is var inner
        && Any(inner, "case", "Case") is not null
        && Any(inner, "layout", "Layout") is not null
        && Any(inner, "outcome", "Outcome") is not null;

    private static JsonElement Inner(JsonElement cell) =>
        cell.ValueKind == JsonValueKind.Object && cell.TryGetProperty("Result", out var result) ? result : cell;

    private static FaultCell Read(JsonElement entry)
    {
        var cell = Inner(entry);
        return new FaultCell(
            Any(cell, "case", "Case") ?? "",
            Any(cell, "layout", "Layout") ?? "",
            (Any(cell, "outcome", "Outcome") ?? "").ToLowerInvariant(),
            Any(cell, "exit_code", "ExitCode") ?? "",
            Either(cell, "detect_seconds", "DetectSeconds"),
            Either(cell, "back_seconds", "BackSeconds"),
            Any(cell, "problem", "Problem") ?? ""
        );
    }

    private static string? Any(JsonElement cell, string name, string other) => cell.Text(name) ?? cell.Text(other);

    private static double Either(JsonElement cell, string name, string other) =>
        cell.Number(name) is var found && double.IsFinite(found) ? found : cell.Number(other);
}
