using Uniscale.Alignment.Prompts;

namespace Uniscale.Alignment.Rollouts;

/// <summary>An answer that the model has drawn, with what became known of it.</summary>
/// <param name="Prompt">What it answers.</param>
/// <param name="Tokens">Its tokens, with what ends it; at least one.</param>
/// <param name="Drawn">The logarithm of each token's probability, as the generator found it.</param>
/// <param name="IsEnded">Whether it ends by itself.</param>
/// <param name="CutMass">Probability that top-p took away, mean over the tokens.</param>
public sealed record DrawnAnswer(ChatPrompt Prompt, int[] Tokens, double[] Drawn, bool IsEnded, double CutMass)
{
    /// <summary>What it is rewarded with.</summary>
    public double Reward { get; set; }

    /// <summary>Score of the reward model.</summary>
    public double Score { get; set; }

    /// <summary>Score of the reward model that nothing is learned from; null: there is none.</summary>
    public double? HeldOutScore { get; set; }

    /// <summary>What the critic foresaw before each token.</summary>
    public double[] Values { get; set; } = [];

    /// <summary>What it should have foreseen.</summary>
    public double[] Returns { get; set; } = [];

    /// <summary>What each rule gave, from 0 to 1, or the score.</summary>
    public double[] Rules { get; set; } = [];

    /// <summary>log π of each token by the weights that drew it, as training computes it.</summary>
    public double[] Old { get; set; } = [];

    /// <summary>log π of each token by the reference.</summary>
    public double[] Reference { get; set; } = [];

    /// <summary>How much better each token was than expected.</summary>
    public double[] Advantages { get; set; } = [];

    /// <summary>Prompt and answer.</summary>
    public int Length => Prompt.Tokens.Length + Tokens.Length;
}
