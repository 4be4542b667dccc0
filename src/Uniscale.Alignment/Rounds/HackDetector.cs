using System.Text.RegularExpressions;
using Uniscale.Alignment.Samples;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Rounds;

/// <summary>The answers of the early and the late policy to one prompt.</summary>
/// <param name="Early">Of the early policy.</param>
/// <param name="Late">Of the late one.</param>
public sealed record AnswerPair(RecordedAnswer Early, RecordedAnswer Late);

/// <summary>A pattern and the pairs that show it, those first whose score rose most.</summary>
/// <param name="Pattern">The pattern.</param>
/// <param name="Pairs">The pairs.</param>
public sealed record FoundPattern(HackPattern Pattern, IReadOnlyList<AnswerPair> Pairs);

/// <summary>
/// Looks where a reward model may have been deceived: in a domain its score has risen from the early to the late policy, and something
/// that is no merit in itself has moved too. Changes are means over the same prompts; what is told is a suspicion, which labels decide.
/// </summary>
/// <param name="section">What counts as a change, and the user's own patterns.</param>
public sealed class HackDetector(FastPathSection section)
{
    /// <summary>Prompts of a domain below which nothing is said of it.</summary>
    public const int FewestPrompts = 10;

    private static readonly (string Name, Func<RecordedAnswer, double?> Of)[] Told =
    [
        ("score", answer => answer.Score),
        ("held_out", answer => answer.HeldOut),
        ("length", answer => answer.Tokens),
        ("repetition", answer => answer.Repetition),
        ("ended", answer => answer.Ended ? 1 : 0),
    ];

    private readonly IReadOnlyList<Measure> _measures =
    [
        new(RoundPatterns.Longer, 1, answer => answer.Tokens, IsShare: true, 0.2),
        new(RoundPatterns.Shorter, -1, answer => answer.Tokens, IsShare: true, 0.2),
        new(RoundPatterns.Repetition, 1, answer => answer.Repetition, IsShare: false, 0.05),
        new(RoundPatterns.HeldOut, -1, answer => answer.HeldOut ?? double.NaN, IsShare: false, 0),
        new(RoundPatterns.Alike, 1, _ => double.NaN, IsShare: false, 0.05),
        new(RoundPatterns.Unended, 1, answer => answer.Ended ? 0 : 1, IsShare: false, 0.05),
        .. section.Patterns.Select(pattern => Own(pattern.Key, RewardPattern.Within(pattern.Value))),
    ];

    /// <summary>What changed in each domain, by the name of what is measured.</summary>
    public static IReadOnlyDictionary<string, IReadOnlyDictionary<string, Change>> ChangesOf(IReadOnlyList<AnswerPair> pairs) =>
        ByDomain(pairs).ToDictionary(domain => domain.Key, domain => ChangesOf([.. domain]));

    private static IReadOnlyDictionary<string, Change> ChangesOf(AnswerPair[] pairs) =>
        Told.Where(measure => pairs.All(pair => measure.Of(pair.Early) is not null && measure.Of(pair.Late) is not null))
            .ToDictionary(measure => measure.Name, measure => ChangeOf(pairs, answer => measure.Of(answer)!.Value));

    /// <summary>The patterns of all domains.</summary>
    public IReadOnlyList<FoundPattern> Find(IReadOnlyList<AnswerPair> pairs)
    {
        var found = new List<FoundPattern>();
        foreach (var domain in ByDomain(pairs).Where(domain => domain.Count() >= FewestPrompts))
        {
            AnswerPair[] own = [.. domain];
            var score = ChangeOf(own, ScoreOf);
            if (!(score.Late > score.Early && score.Deviations >= section.Deviations))
                continue;
            foreach (var measure in _measures)
            {
                double[] early = ValuesOf(measure, own, pair => pair.Early),
                    late = ValuesOf(measure, own, pair => pair.Late);
                var change = ChangeOf(early, late);
                if (!Counts(measure, change))
                    continue;
                AnswerPair[] showing =
                [
                    .. own.Where((pair, i) => (late[i] - early[i]) * measure.Sign > 0)
                        .Where(pair => ScoreOf(pair.Late) > ScoreOf(pair.Early) && pair.Late.Answer != pair.Early.Answer)
                        .OrderByDescending(pair => ScoreOf(pair.Late) - ScoreOf(pair.Early))
                        .ThenBy(pair => pair.Early.Number),
                ];
                found.Add(new FoundPattern(new HackPattern(domain.Key, measure.Name, score, change, showing.Length), showing));
            }
        }
        return found;
    }

    private bool Counts(Measure measure, Change change)
    {
        double moved = (change.Late - change.Early) * measure.Sign;
        double least = measure.IsShare ? measure.Least * Math.Abs(change.Early) : measure.Least;
        return moved > 0 && moved >= least && Math.Abs(change.Deviations) >= section.Deviations;
    }

    private static IEnumerable<IGrouping<string, AnswerPair>> ByDomain(IReadOnlyList<AnswerPair> pairs) =>
        pairs.GroupBy(pair => pair.Early.Domain).OrderBy(domain => domain.Key, StringComparer.Ordinal);

    private static double ScoreOf(RecordedAnswer answer) => answer.Score ?? double.NaN;

    private static double[] ValuesOf(Measure measure, AnswerPair[] pairs, Func<AnswerPair, RecordedAnswer> side)
    {
        RecordedAnswer[] answers = [.. pairs.Select(side)];
        if (measure.Name != RoundPatterns.Alike)
            return [.. answers.Select(measure.Of)];
        var counts = answers.GroupBy(answer => answer.Answer).ToDictionary(group => group.Key, group => group.Count());
        return [.. answers.Select(answer => counts[answer.Answer] > 1 ? 1.0 : 0)];
    }

    private static Change ChangeOf(AnswerPair[] pairs, Func<RecordedAnswer, double> of) =>
        ChangeOf([.. pairs.Select(pair => of(pair.Early))], [.. pairs.Select(pair => of(pair.Late))]);

    /// <summary>Means, and the mean difference over its standard error.</summary>
    internal static Change ChangeOf(double[] early, double[] late)
    {
        double[] apart = [.. late.Zip(early, (after, before) => after - before)];
        double mean = apart.Average(),
            squares = apart.Sum(each => (each - mean) * (each - mean));
        double error = apart.Length < 2 ? double.PositiveInfinity : Math.Sqrt(squares / (apart.Length - 1) / apart.Length);
        // Where all differ alike there is no doubt; a number is easier to write down than infinity.
        double deviations = mean == 0 ? 0 : Math.Clamp(mean / Math.Max(error, 1e-300), -1e6, 1e6);
        return new Change(early.Average(), late.Average(), deviations);
    }

    private static Measure Own(string name, Regex pattern) =>
        new(name, 1, answer => pattern.IsMatch(answer.Answer) ? 1 : 0, IsShare: false, 0.05);

    /// <summary>Something that is measured of an answer.</summary>
    /// <param name="Name">Name of the pattern.</param>
    /// <param name="Sign">1: it is suspicious where it grows; −1: where it falls.</param>
    /// <param name="Of">The measure; "alike" needs all answers.</param>
    /// <param name="IsShare">Whether the least change is a share of the early mean.</param>
    /// <param name="Least">Smallest mean change that counts.</param>
    private sealed record Measure(string Name, int Sign, Func<RecordedAnswer, double> Of, bool IsShare, double Least);
}
