using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Curves;

/// <summary>A chart of measures that belong together.</summary>
/// <param name="Title">For people.</param>
/// <param name="Unit">Of its values; empty: none.</param>
/// <param name="Names">Curves in it, with the name of their group.</param>
public sealed record MeasureChart(string Title, string Unit, IReadOnlyList<string> Names);

/// <summary>
/// Which measures of an objective are drawn together, and under what heading: reward and divergence first, as people look for them.
/// </summary>
public static class MeasureCharts
{
    /// <summary>Charts by heading; a name that ends in a slash stands for all that begin with it.</summary>
    private static readonly (string Heading, string Title, string Unit, string[] Names)[] Known =
    [
        ("Reward", "Mean reward", "", ["objective/scores", "objective/rlhf_reward", "objective/non_score_reward"]),
        ("Preferences", "Scores of the better and the worse answer", "", ["reward/chosen", "reward/rejected"]),
        ("Reward", "Reward by rule, before its weight", "", ["reward/"]),
        ("Reward", "Groups whose answers all have the same reward", "share", ["frac_reward_zero_std"]),
        ("Preferences", "Accuracy and confidence", "share of the pairs", ["accuracy", "confidence"]),
        ("Divergence", "KL divergence from the reference", "nats an answer", ["objective/kl"]),
        ("Divergence", "Weight of the divergence, β", "", ["objective/beta"]),
        ("Divergence", "Entropy", "nats an answer", ["objective/entropy"]),
        ("Answers", "Length", "tokens", ["answer/length"]),
        ("Answers", "Answers that ended by themselves", "", ["val/num_eos_tokens"]),
        ("Answers", "Ended by themselves; different pairs of tokens", "share", ["answer/ended", "answer/distinct2"]),
        ("Updates", "Approximate KL of an update", "nats", ["policy/approxkl_avg"]),
        ("Updates", "Tokens clipped", "share", ["policy/clipfrac_avg", "val/clipfrac_avg"]),
        ("Updates", "Losses", "", ["loss/"]),
        ("Updates", "Ratio of probabilities", "", ["val/ratio"]),
        ("Updates", "Distance of its logarithm from 0", "nats", ["val/log_ratio"]),
        ("Critic", "Values and returns", "", ["val/value_avg", "val/return_avg"]),
        ("Critic", "Gradient norm", "", ["critic/grad"]),
        ("Drawing", "Time of drawing and rewarding", "s", ["rollout/seconds"]),
        ("Drawing", "Speed of drawing", "tokens/s", ["rollout/tokens_per_second"]),
        ("Drawing", "Generator against training", "nats a token", ["val/logprob_gap"]),
        ("Drawing", "Probability cut off by top-p", "", ["val/cut_mass"]),
    ];

    /// <summary>The charts of a run's measures, in order; what is not known has one of its own, under the last heading.</summary>
    /// <param name="names">Names of measures, without their group.</param>
    public static IReadOnlyList<(string Heading, IReadOnlyList<MeasureChart> Charts)> Of(IEnumerable<string> names)
    {
        var left = names.Order(StringComparer.Ordinal).ToList();
        var charts = new List<(string Heading, MeasureChart Chart)>();
        foreach (var (heading, title, unit, wanted) in Known)
        {
            var found = wanted.SelectMany(name => left.Where(other => IsMeant(name, other))).Distinct().ToList();
            if (found.Count > 0)
                charts.Add((heading, new MeasureChart(title, unit, [.. found.Select(name => NamedGroup.Measure + name)])));
            left = [.. left.Except(found)];
        }
        charts.AddRange(left.Select(name => ("Others", new MeasureChart(name, "", [NamedGroup.Measure + name]))));
        return
        [
            .. charts
                .GroupBy(entry => entry.Heading)
                .Select(group => (group.Key, (IReadOnlyList<MeasureChart>)[.. group.Select(entry => entry.Chart)])),
        ];
    }

    private static bool IsMeant(string wanted, string name) =>
        wanted.EndsWith('/') ? name.StartsWith(wanted, StringComparison.Ordinal) : name == wanted;
}
