using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Uniscale.Experiments.Faults;

/// <summary>Runs a matrix cell by cell and keeps what is known, so that an interrupted one can go on.</summary>
/// <param name="matrix">The matrix.</param>
/// <param name="directory">Its directory.</param>
/// <param name="program">This executable, with its first arguments.</param>
public sealed class MatrixRunner(FaultMatrix matrix, string directory, IReadOnlyList<string> program)
{
    /// <summary>Name of the file of results.</summary>
    public const string ResultsFile = "results.jsonl";

    private static readonly JsonSerializerOptions Format = new() { Converters = { new JsonStringEnumConverter() } };

    /// <summary>Runs all cells, row by row.</summary>
    /// <param name="resume">Good cells of an earlier run of the same matrix are taken as they are.</param>
    /// <param name="done">Called with each result.</param>
    public IReadOnlyList<CellResult> Run(bool resume, Action<CellResult> done)
    {
        Directory.CreateDirectory(directory);
        string path = Path.Combine(directory, ResultsFile);
        var known = resume ? Known(path) : [];
        if (!resume)
            File.Delete(path);
        var runner = new CellRunner(matrix, directory, program);
        var results = new List<CellResult>();
        foreach (var entry in matrix.Cases)
        {
            foreach (var layout in matrix.Layouts)
            {
                string key = KeyOf(layout, entry);
                if (!known.TryGetValue(key, out var result))
                {
                    result = runner.Run(layout, entry);
                    File.AppendAllText(path, JsonSerializer.Serialize(new Line(key, result), Format) + "\n");
                }
                results.Add(result);
                done(result);
            }
        }
        return results;
    }

    private static Dictionary<string, CellResult> Known(string path)
    {
        var known = new Dictionary<string, CellResult>();
        if (!File.Exists(path))
            return known;
        foreach (string line in File.ReadLines(path))
        {
            try
            {
                if (JsonSerializer.Deserialize<Line>(line, Format) is { Result.IsGood: true } read)
                    known[read.Key] = read.Result;
            }
            catch (JsonException)
            {
                // Cut off where the matrix was killed: the cell runs again.
            }
        }
        return known;
    }

    /// <summary>All that decides what a cell does: a changed one is run again.</summary>
    private string KeyOf(LayoutSection layout, CaseSection entry)
    {
        var all = new
        {
            Layout = layout,
            Case = entry,
            matrix.MaxRestarts,
            matrix.HangSeconds,
            Run = File.ReadAllText(matrix.Run),
        };
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize(all, Format))));
    }

    private sealed record Line(string Key, CellResult Result);
}
