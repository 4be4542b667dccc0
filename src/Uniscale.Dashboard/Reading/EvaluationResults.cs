using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>The results files of a run.</summary>
internal static class EvaluationResults
{
    private const int MostUnreadable = 8;

    private const string Pattern = "results_*.json";

    /// <summary>Where evaluations lie in a run's folder: the program's own place, and a common other name.</summary>
    public static IReadOnlyList<string> Folders { get; } = ["evaluation", "evaluations"];

    /// <summary>Whether a name is that of a results file.</summary>
    public static bool IsOne(string file) => Path.GetFileName(file).StartsWith("results_", StringComparison.Ordinal);

    /// <summary>The latest results that can be read, the latest first.</summary>
    public static IReadOnlyList<EvaluationResult> Latest(RunsFolder door, string run, int most) =>
        [
            .. Folders
                .SelectMany(folder => door.Files(Path.Combine(run, folder), Pattern).Select(name => $"{folder}/{name}"))
                .OrderByDescending(file => Path.GetFileName(file), StringComparer.Ordinal)
                .Take(most + MostUnreadable)
                .Select(file => EvaluationResult.Read(door, run, file))
                .OfType<EvaluationResult>()
                .Take(most),
        ];
}
