using System.Globalization;
using System.Text.RegularExpressions;
using Uniscale.Evaluation.Exams;

namespace Uniscale.Evaluation.Judging;

/// <summary>What a judge says of the two answers that it was shown.</summary>
public enum JudgeVerdict
{
    /// <summary>The first is better.</summary>
    First,

    /// <summary>The second is better.</summary>
    Second,

    /// <summary>Neither is.</summary>
    Tie,

    /// <summary>What the judge says names none.</summary>
    Unreadable,
}

/// <summary>
/// A judge compares two answers, in both orders, so that a liking for a place cannot decide (Zheng et al., "Judging LLM-as-a-judge", 2023):
/// an answer wins where it is preferred in both, everything else is a tie.
/// </summary>
public static partial class JudgeProtocol
{
    /// <summary>What a judge is asked.</summary>
    /// <param name="pair">The answers.</param>
    /// <param name="swapped">B is shown first.</param>
    public static string Prompt(JudgedPair pair, bool swapped)
    {
        var (first, second) = swapped ? (pair.B, pair.A) : (pair.A, pair.B);
        return $"""
            Two answers to a question are shown. Judge which one is better: right, complete and to the point. Neither their order nor their length counts.
            End with [[A]] if answer A is better, [[B]] if answer B is better, or [[C]] if they are equally good.

            Question:
            {pair.Question}

            Answer A:
            {first.Trim()}

            Answer B:
            {second.Trim()}

            Judgement:
            """;
    }

    /// <summary>The last verdict in a judge's words.</summary>
    public static JudgeVerdict VerdictOf(string text) =>
        Mark().Matches(text) is { Count: > 0 } marks
            ? marks[^1].Groups[1].Value switch
            {
                "A" => JudgeVerdict.First,
                "B" => JudgeVerdict.Second,
                _ => JudgeVerdict.Tie,
            }
            : JudgeVerdict.Unreadable;

    [GeneratedRegex(@"\[\[([ABC])\]\]")]
    private static partial Regex Mark();
}

/// <summary>The verdicts on a pair.</summary>
/// <param name="Pair">The answers.</param>
/// <param name="Straight">With A shown first.</param>
/// <param name="Swapped">With B shown first.</param>
public sealed record JudgedAnswers(JudgedPair Pair, JudgeVerdict Straight, JudgeVerdict Swapped)
{
    /// <summary>1: A is preferred in both orders; 0: B is; else one half.</summary>
    public double Score =>
        (Straight, Swapped) switch
        {
            (JudgeVerdict.First, JudgeVerdict.Second) => 1,
            (JudgeVerdict.Second, JudgeVerdict.First) => 0,
            _ => 0.5,
        };

    /// <summary>Whether both orders give the same.</summary>
    public bool IsConsistent => Score != 0.5 || (Straight, Swapped) == (JudgeVerdict.Tie, JudgeVerdict.Tie);
}

/// <summary>What came out of a comparison by a judge.</summary>
/// <param name="Judge">Who judged.</param>
/// <param name="Answers">By pair.</param>
public sealed record JudgeReport(string Judge, IReadOnlyList<JudgedAnswers> Answers)
{
    /// <summary>The mean score of A: wins, and half of the ties.</summary>
    public Score Score => Exams.Score.Of([.. Answers.Select(answer => answer.Score)]);

    /// <summary>The share of pairs of which both orders give the same.</summary>
    public double Consistent => Answers.Average(answer => answer.IsConsistent ? 1.0 : 0);

    /// <summary>The share of preferences that are for the answer that was shown first: 0.5 without a liking for a place.</summary>
    public double PreferredFirst
    {
        get
        {
            var all = Answers.SelectMany(answer => (JudgeVerdict[])[answer.Straight, answer.Swapped]).ToList();
            int first = all.Count(verdict => verdict == JudgeVerdict.First),
                second = all.Count(verdict => verdict == JudgeVerdict.Second);
            return first + second == 0 ? double.NaN : first / (double)(first + second);
        }
    }

    /// <summary>Verdicts that name none of the answers.</summary>
    public int Unreadable =>
        Answers.Sum(answer => (answer.Straight == JudgeVerdict.Unreadable ? 1 : 0) + (answer.Swapped == JudgeVerdict.Unreadable ? 1 : 0));

    /// <summary>Lines that people read.</summary>
    public IEnumerable<string> Table()
    {
        int wins = Answers.Count(answer => answer.Score == 1),
            losses = Answers.Count(answer => answer.Score == 0);
        yield return $"judge: {Judge}; {Answers.Count} questions, each in both orders";
        yield return $"A wins {wins}, B wins {losses}, ties {Answers.Count - wins - losses}";
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"score of A (wins and half of the ties) {100 * Score.Value:0.00} ± {100 * Score.Error:0.00}"
        );
        yield return string.Create(
            CultureInfo.InvariantCulture,
            $"both orders agree in {100 * Consistent:0.0}%; {100 * PreferredFirst:0.0}% of preferences are for the answer that was shown first; {Unreadable} verdicts name none"
        );
    }
}
