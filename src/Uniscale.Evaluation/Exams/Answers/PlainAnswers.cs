using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Uniscale.Evaluation.Exams.Answers;

/// <summary>Answers that are words or a number.</summary>
internal static partial class PlainAnswers
{
    /// <summary>Lower case, without punctuation and the articles a, an and the, single blanks.</summary>
    public static string Normalised(string text)
    {
        var kept = new StringBuilder(text.Length);
        foreach (char c in text.Normalize(NormalizationForm.FormKC).ToLowerInvariant())
            if (!char.IsPunctuation(c) && !char.IsSymbol(c))
                kept.Append(c);
        return string.Join(' ', Articles().Replace(kept.ToString(), " ").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Whether a text equals a solution after normalisation.</summary>
    public static bool Equal(string text, IEnumerable<string> solutions) =>
        solutions.Any(solution => Normalised(text) == Normalised(solution));

    /// <summary>
    /// The harmonic mean of precision and recall of words, the best over all solutions; a Chinese, Japanese or Korean character is a word.
    /// </summary>
    public static double F1(string text, IEnumerable<string> solutions) =>
        solutions.Select(solution => F1(Words(text), Words(solution))).DefaultIfEmpty(0).Max();

    /// <summary>The last number of a text, without separators of thousands; null: there is none.</summary>
    public static decimal? LastNumber(string text) =>
        Numbers().Matches(text) is { Count: > 0 } matches
        && decimal.TryParse(
            matches[^1].Value.Replace(",", "", StringComparison.Ordinal),
            NumberStyles.Number,
            CultureInfo.InvariantCulture,
            out decimal number
        )
            ? number
            : null;

    private static double F1(List<string> words, List<string> right)
    {
        if (words.Count == 0 || right.Count == 0)
            return words.Count == right.Count ? 1 : 0;
        var left = right.GroupBy(word => word).ToDictionary(group => group.Key, group => group.Count());
        int common = 0;
        foreach (string word in words)
        {
            if (left.GetValueOrDefault(word) == 0)
                continue;
            left[word]--;
            common++;
        }
        double precision = (double)common / words.Count,
            recall = (double)common / right.Count;
        return common == 0 ? 0 : 2 * precision * recall / (precision + recall);
    }

    /// <summary>The words of a text after normalisation; a Chinese, Japanese or Korean character is one.</summary>
    internal static List<string> Words(string text) => [.. Word().Matches(Normalised(text)).Select(match => match.Value)];

    [GeneratedRegex(@"\b(a|an|the)\b")]
    private static partial Regex Articles();

    [GeneratedRegex(@"-?\d[\d,]*(\.\d+)?")]
    private static partial Regex Numbers();

    [GeneratedRegex(@"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")]
    private static partial Regex Word();
}
