using Uniscale.Alignment.Rewards;

namespace Uniscale.Alignment.Rollouts;

/// <summary>What is told of a batch of answers, by the names that users of other programs know.</summary>
public static class BatchMeasures
{
    /// <summary>Mean reward of an answer, before any divergence is subtracted.</summary>
    public const string Scores = "objective/scores";

    /// <summary>Mean divergence of an answer from the reference, in nats: Σ log π − log π_ref over its tokens.</summary>
    public const string Divergence = "objective/kl";

    /// <summary>Of answers that were rewarded.</summary>
    /// <param name="answers">The answers.</param>
    /// <param name="rules">The rules, in the order of <see cref="DrawnAnswer.Rules"/>.</param>
    public static Dictionary<string, double> OfAnswers(IReadOnlyList<DrawnAnswer> answers, IReadOnlyList<RewardRule> rules)
    {
        var measures = new Dictionary<string, double> { [Scores] = answers.Average(answer => answer.Reward) };
        foreach (
            var group in rules.Select((rule, i) => (rule.Name, Mean: answers.Average(answer => answer.Rules[i]))).GroupBy(rule => rule.Name)
        )
            measures[$"reward/{group.Key}"] = group.Average(rule => rule.Mean);
        if (answers[0].HeldOutScore is not null)
            measures["reward/held_out"] = answers.Average(answer => answer.HeldOutScore ?? double.NaN);
        measures["answer/length"] = answers.Average(answer => answer.Tokens.Length);
        measures["answer/ended"] = answers.Average(answer => answer.IsEnded ? 1.0 : 0);
        measures["answer/distinct2"] = DistinctPairs(answers);
        return measures;
    }

    /// <summary>Of a batch whose log-probabilities are known.</summary>
    /// <param name="answers">The answers.</param>
    /// <param name="beta">Weight of the divergence.</param>
    public static Dictionary<string, double> OfProbabilities(IReadOnlyList<DrawnAnswer> answers, double beta)
    {
        double divergence = DivergenceOf(answers),
            tokens = answers.Sum(answer => answer.Tokens.Length);
        return new()
        {
            [Divergence] = divergence,
            ["objective/rlhf_reward"] = answers.Average(answer => answer.Reward) - (beta * divergence),
            ["objective/entropy"] = answers.Average(answer => -answer.Old.Sum()),
            ["objective/beta"] = beta,
            ["val/num_eos_tokens"] = answers.Count(answer => answer.IsEnded),
            ["val/logprob_gap"] = answers.Sum(answer => answer.Old.Zip(answer.Drawn, (old, drawn) => Math.Abs(old - drawn)).Sum()) / tokens,
            ["val/cut_mass"] = answers.Average(answer => answer.CutMass),
        };
    }

    /// <summary>Mean of an answer's Σ log π − log π_ref.</summary>
    public static double DivergenceOf(IReadOnlyList<DrawnAnswer> answers) =>
        answers.Average(answer => answer.Old.Sum() - answer.Reference.Sum());

    /// <summary>
    /// Different pairs of neighbouring tokens, as a share of all pairs: answers that are alike, or repeat themselves, have few.
    /// </summary>
    internal static double DistinctPairs(IReadOnlyList<DrawnAnswer> answers)
    {
        var seen = new HashSet<(int, int)>();
        long all = 0;
        foreach (var answer in answers)
        {
            for (int i = 1; i < answer.Tokens.Length; i++)
                seen.Add((answer.Tokens[i - 1], answer.Tokens[i]));
            all += answer.Tokens.Length - 1;
        }
        return all == 0 ? 1 : (double)seen.Count / all;
    }
}
