using System.Globalization;
using CsvHelper;
using Uniscale.Evaluation.Exams;

namespace Uniscale.Evaluation.Needles;

/// <summary>What came out of a needle test, for people and programs.</summary>
/// <param name="Haystack">Where the text was from.</param>
/// <param name="Options">What was asked.</param>
/// <param name="Results">By length, repeat and depth.</param>
public sealed record NeedleReport(string Haystack, NeedleOptions Options, IReadOnlyList<NeedleResult> Results)
{
    /// <summary>The share of needles that were found.</summary>
    public Score Found => Score.Of([.. Results.Select(result => result.Found ? 1.0 : 0.0)]);

    /// <summary>The mean score in percent.</summary>
    public Score Mean => Score.Of([.. Results.Select(result => result.Score)]);

    /// <summary>Mean scores in percent [length, depth].</summary>
    public double[,] Grid
    {
        get
        {
            double[,] grid = new double[Options.Lengths.Count, Options.Depths];
            for (int row = 0; row < Options.Lengths.Count; row++)
                for (int column = 0; column < Options.Depths; column++)
                    grid[row, column] = Results
                        .Where(result => result.Cell.Length == Options.Lengths[row] && result.Cell.Depth == Options.DepthPercents[column])
                        .Average(result => result.Score);
            return grid;
        }
    }

    /// <summary>The table that people read: a row for each length, a column for each depth.</summary>
    public IEnumerable<string> Table()
    {
        double[,] grid = Grid;
        yield return $"{"tokens",9} {"characters",10} {"found",6} {"score",6}  {string.Concat(Options.DepthPercents.Select(depth => string.Create(CultureInfo.InvariantCulture, $"{depth,4:0}%")))}";
        for (int row = 0; row < Options.Lengths.Count; row++)
        {
            var own = Results.Where(result => result.Cell.Length == Options.Lengths[row]).ToList();
            string cells = string.Concat(
                Enumerable
                    .Range(0, Options.Depths)
                    .Select(column => string.Create(CultureInfo.InvariantCulture, $"{grid[row, column],5:0}"))
            );
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{Options.Lengths[row],9} {own.Average(one => one.Cell.Characters),10:0} {100 * own.Average(one => one.Found ? 1.0 : 0),5:0}% {own.Average(one => one.Score),6:0.0}  {cells}"
            );
        }
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"{100 * Found.Value:0.0}% of {Results.Count} needles were found; mean score {Mean.Value:0.0} (100: the key is in the answer; else 20 × (1 − edit distance / length))."
        );
    }

    /// <summary>Writes a row for each cell.</summary>
    public void WriteCsv(string path)
    {
        using var writer = new StreamWriter(path);
        using var csv = new CsvWriter(writer, CultureInfo.InvariantCulture);
        foreach (
            string name in (string[])
                ["length", "characters", "depth", "repeat", "needle_token", "key", "answer", "found", "edit_distance", "score"]
        )
            csv.WriteField(name);
        csv.NextRecord();
        foreach (var result in Results)
        {
            csv.WriteField(result.Cell.Length);
            csv.WriteField(result.Cell.Characters);
            csv.WriteField(result.Cell.Depth);
            csv.WriteField(result.Cell.Repeat);
            csv.WriteField(result.Cell.Place);
            csv.WriteField(result.Cell.Key);
            csv.WriteField(result.Answer);
            csv.WriteField(result.Found ? 1 : 0);
            csv.WriteField(result.EditDistance);
            csv.WriteField(result.Score);
            csv.NextRecord();
        }
    }
}
