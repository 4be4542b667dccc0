using System.Globalization;
using System.Text.RegularExpressions;

namespace Uniscale.Evaluation.Exams.Answers;

/// <summary>The metrics of LongBench (Bai et al., 2024) besides the overlap of words.</summary>
internal static partial class LongAnswers
{
    /// <summary>
    /// ROUGE-L (Lin, 2004): the harmonic mean of the shares that the longest common subsequence of words has in both texts, the best over
    /// all solutions.
    /// </summary>
    public static double Rouge(string text, IEnumerable<string> solutions)
    {
        var words = PlainAnswers.Words(text);
        return solutions.Select(solution => Harmonic(words, PlainAnswers.Words(solution))).DefaultIfEmpty(0).Max();
    }

    /// <summary>
    /// One over the number of classes that the text names, where the right one is among them; a name that is a part of the right one's
    /// does not count.
    /// </summary>
    public static double Class(string text, IEnumerable<string> solutions, IReadOnlyList<string> classes) =>
        solutions
            .Select(solution =>
            {
                var named = classes
                    .Where(name =>
                        text.Contains(name, StringComparison.Ordinal)
                        && (name == solution || !solution.Contains(name, StringComparison.Ordinal))
                    )
                    .ToList();
                return named.Contains(solution) ? 1.0 / named.Count : 0;
            })
            .DefaultIfEmpty(0)
            .Max();

    /// <summary>The share of the text's numbers that are the solution's last one.</summary>
    public static double NumberShare(string text, IEnumerable<string> solutions)
    {
        string[] numbers = [.. Whole().Matches(text).Select(match => match.Value)];
        return solutions
            .Select(solution =>
                numbers.Length > 0 && Whole().Matches(solution) is { Count: > 0 } right
                    ? numbers.Count(number => Same(number, right[^1].Value)) / (double)numbers.Length
                    : 0
            )
            .DefaultIfEmpty(0)
            .Max();
    }

    /// <summary>
    /// How alike the first line of code is to the solution: twice the characters of their longest common subsequence over all characters.
    /// </summary>
    public static double CodeSimilarity(string text, IEnumerable<string> solutions)
    {
        string line =
            text.TrimStart('\n')
                .Split('\n')
                .FirstOrDefault(line => !line.Contains('`') && !line.Contains('#') && !line.Contains("//", StringComparison.Ordinal))
            ?? "";
        return solutions.Select(solution => Ratio(line.Trim(), solution.Trim())).DefaultIfEmpty(0).Max();
    }

    /// <summary>The first line that says something.</summary>
    public static string FirstLine(string text) => text.TrimStart('\n').Split('\n')[0];

    private static double Ratio(string one, string other) =>
        one.Length + other.Length == 0 ? 1 : 2.0 * Common<char>([.. one], [.. other]) / (one.Length + other.Length);

    private static double Harmonic(IReadOnlyList<string> words, IReadOnlyList<string> right)
    {
        if (words.Count == 0 || right.Count == 0)
            return 0;
        double common = Common(words, right);
        return common == 0 ? 0 : 2 * common / (words.Count + right.Count);
    }

    /// <summary>Length of the longest common subsequence.</summary>
    private static int Common<T>(IReadOnlyList<T> one, IReadOnlyList<T> other)
        where T : IEquatable<T>
    {
        int[] before = new int[other.Count + 1],
            row = new int[other.Count + 1];
        foreach (var item in one)
        {
            for (int i = 0; i < other.Count; i++)
                row[i + 1] = item.Equals(other[i]) ? before[i] + 1 : Math.Max(before[i + 1], row[i]);
            (before, row) = (row, before);
        }
        return before[^1];
    }

    private static bool Same(string one, string other) =>
        decimal.TryParse(one, CultureInfo.InvariantCulture, out decimal left)
        && decimal.TryParse(other, CultureInfo.InvariantCulture, out decimal right)
        && left == right;

    [GeneratedRegex(@"\d+")]
    private static partial Regex Whole();
}
