using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;

namespace Uniscale.Evaluation.Results;

/// <summary>Results files side by side: each against the first.</summary>
public static class ResultComparison
{
    /// <summary>
    /// The table: task, metric, the score of each file, and by how much it differs from the first, with the standard error of the
    /// difference.
    /// </summary>
    /// <param name="paths">Results files, as <c>evaluate</c> or lm-evaluation-harness writes them; at least two.</param>
    /// <exception cref="UserErrorException">A file is missing or none of results, or they have no figure in common.</exception>
    public static IEnumerable<string> Table(IReadOnlyList<string> paths)
    {
        if (paths.Count < 2)
            throw new UserErrorException("A comparison needs two results files or more.");
        var files = paths.Select(Read).ToList();
        var common = files[0].Where(figure => files.All(file => file.ContainsKey(figure.Key))).Select(figure => figure.Key).ToList();
        if (common.Count == 0)
            throw new UserErrorException($"{string.Join(", ", paths)} have no task with the same metric, so nothing can be compared.");
        return Lines(paths, files, common);
    }

    private static IEnumerable<string> Lines(
        IReadOnlyList<string> paths,
        List<Dictionary<(string Task, string Metric), Score>> files,
        List<(string Task, string Metric)> common
    )
    {
        for (int i = 0; i < paths.Count; i++)
            yield return $"{i + 1}: {paths[i]}";
        yield return $"{"task",-40} {"metric",-18}{string.Concat(Enumerable.Range(1, paths.Count).Select(i => $"{i,10}{(i > 1 ? $"{$"{i} − 1",10} {"± error",8}" : "")}"))}";
        foreach (var figure in common)
        {
            var first = files[0][figure];
            yield return $"{figure.Task,-40} {figure.Metric,-18}{string.Concat(files.Select((file, i) => string.Create(
                CultureInfo.InvariantCulture,
                $"{file[figure].Value,10:0.0000}{(i > 0 ? string.Create(CultureInfo.InvariantCulture, $"{file[figure].Value - first.Value,10:+0.0000;-0.0000} {Error(first, file[figure]),8}") : "")}")))}";
        }
    }

    /// <summary>Of a difference of two independent means; unknown where one of them is.</summary>
    private static string Error(Score a, Score b)
    {
        double error = Math.Sqrt(a.Error * a.Error + b.Error * b.Error);
        return double.IsNaN(error) ? "-" : error.ToString("0.0000", CultureInfo.InvariantCulture);
    }

    private static Dictionary<(string Task, string Metric), Score> Read(string path)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"There is no results file {path}.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllText(path));
            var figures = new Dictionary<(string Task, string Metric), Score>();
            foreach (var task in document.RootElement.GetProperty("results").EnumerateObject())
                foreach (var figure in task.Value.EnumerateObject())
                {
                    string[] name = figure.Name.Split(',');
                    if (figure.Value.ValueKind != JsonValueKind.Number || name[0].EndsWith("_stderr", StringComparison.Ordinal))
                        continue;
                    string filter = name.Length > 1 ? name[1] : "none";
                    bool known =
                        task.Value.TryGetProperty($"{name[0]}_stderr,{filter}", out var error) && error.ValueKind == JsonValueKind.Number;
                    figures[(task.Name, name[0])] = new Score(figure.Value.GetDouble(), known ? error.GetDouble() : double.NaN, 0);
                }
            return figures;
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new UserErrorException(
                $"{path} is no results file: JSON with \"results\" is expected, as `uniscale evaluate` writes it.",
                failure
            );
        }
    }
}
