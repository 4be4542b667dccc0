using Uniscale.Alignment.Rollouts;
using Uniscale.Data;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Rewards;

/// <summary>Rewards answers: reads them as text and applies the rules.</summary>
/// <param name="rules">The rules.</param>
/// <param name="tokenizer">The vocabulary; owned.</param>
/// <param name="stops">Tokens that end an answer and are no text.</param>
/// <param name="missingEndPenalty">Subtracted where an answer does not end.</param>
/// <param name="scorer">Asks the reward model; null: there is none.</param>
public sealed class AnswerReader(
    IReadOnlyList<RewardRule> rules,
    Tokenizer tokenizer,
    IReadOnlyList<int> stops,
    double missingEndPenalty,
    AnswerScorer? scorer = null
) : IDisposable
{
    /// <summary>Tokens that end an answer.</summary>
    public IReadOnlyList<int> Stops => stops;

    /// <summary>The rules.</summary>
    public IReadOnlyList<RewardRule> Rules => rules;

    /// <summary>Rewards answers. Collective where there is a reward model.</summary>
    public void Reward(RankRuntime runtime, IReadOnlyList<DrawnAnswer> answers)
    {
        scorer?.Score(runtime, answers);
        foreach (var answer in answers)
            Reward(answer);
    }

    private void Reward(DrawnAnswer answer)
    {
        string text = TextOf(answer.Tokens),
            reference = TextOf(answer.Prompt.Reference);
        answer.Rules = [.. rules.Select(rule => rule.Of(answer, text, reference))];
        answer.Reward = rules.Select((rule, i) => rule.Weight * answer.Rules[i]).Sum() - (answer.IsEnded ? 0 : missingEndPenalty);
    }

    /// <summary>The text of an answer. Rows of a padded vocabulary have none.</summary>
    public string TextOf(int[] tokens)
    {
        int end = tokens.Length > 0 && stops.Contains(tokens[^1]) ? tokens.Length - 1 : tokens.Length;
        return tokenizer.Decode([.. tokens[..end].Where(token => token < tokenizer.Size)]).Trim();
    }

    /// <inheritdoc/>
    public void Dispose() => tokenizer.Dispose();
}
