using System.Globalization;
using System.Text;

namespace Uniscale.Alignment.Rounds;

/// <summary>Rounds in words.</summary>
public static class RoundReport
{
    /// <summary>A pattern in a sentence.</summary>
    public static string Sentence(HackPattern pattern) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{pattern.Domain}: the score rises from {pattern.Score.Early:0.00} to {pattern.Score.Late:0.00}, and answers show '{pattern.Name}' ({pattern.Measure.Early:0.##} → {pattern.Measure.Late:0.##}, {Math.Abs(pattern.Measure.Deviations):0} standard errors); {pattern.Pairs} pairs show it."
        );

    /// <summary>A table of rounds and domains, from the early to the late policy.</summary>
    public static string Table(IReadOnlyList<RoundManifest> rounds)
    {
        List<string[]> lines = [["round", "domain", "score", "held-out", "length", "repetition", "patterns", "patches", "for people"]];
        foreach (var round in rounds)
            lines.AddRange(Lines(round));
        int[] widths = [.. Enumerable.Range(0, lines[0].Length).Select(column => lines.Max(line => line[column].Length))];
        var text = new StringBuilder();
        foreach (string[] line in lines)
            text.AppendLine(string.Join("  ", line.Zip(widths, (cell, width) => cell.PadRight(width))).TrimEnd());
        return text.ToString();
    }

    private static IEnumerable<string[]> Lines(RoundManifest round)
    {
        bool isFirst = true;
        foreach (var (domain, changes) in round.Changes ?? new Dictionary<string, IReadOnlyDictionary<string, Change>>())
        {
            string patterns = string.Join(
                ", ",
                (round.Patterns ?? []).Where(pattern => pattern.Domain == domain).Select(pattern => pattern.Name)
            );
            yield return
            [
                isFirst ? $"{round.Round}" : "",
                domain,
                Both(changes, "score", "0.00"),
                Both(changes, "held_out", "0.00"),
                Both(changes, "length", "0.0"),
                Both(changes, "repetition", "0.00"),
                patterns.Length == 0 ? "-" : patterns,
                isFirst ? $"{round.Fast?.Patches}" : "",
                isFirst ? $"{round.Fast?.Waiting + round.Slow}" : "",
            ];
            isFirst = false;
        }
    }

    private static string Both(IReadOnlyDictionary<string, Change> changes, string name, string format) =>
        changes.TryGetValue(name, out var change)
            ? $"{change.Early.ToString(format, CultureInfo.InvariantCulture)} → {change.Late.ToString(format, CultureInfo.InvariantCulture)}"
            : "-";
}
