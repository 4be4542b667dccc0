using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>How answers are drawn, and how often they are learned from.</summary>
public sealed record RolloutSection
{
    /// <summary>Prompts of a batch: what is drawn with the same weights.</summary>
    [Range(1, Limits.Sequences)]
    public int Prompts { get; init; } = 32;

    /// <summary>Tokens of an answer at most.</summary>
    [Range(1, Limits.Sequences)]
    public int MaxTokens { get; init; } = 128;

    /// <summary>Logits are divided by it, where answers are drawn and wherever their log-probabilities are computed.</summary>
    [Range(0, MinimumExclusive = true)]
    public double Temperature { get; init; } = 1;

    /// <summary>Tokens are drawn from the smallest set whose probabilities sum to at least this. Below 1 they are not drawn from the policy itself, of which the run warns.</summary>
    [Range(0, 1, MinimumExclusive = true)]
    public double TopP { get; init; } = 1;

    /// <summary>Answers that a rank generates at a time: memory and speed, nothing else.</summary>
    [Range(1, Limits.Sequences)]
    public int Batch { get; init; } = 32;

    /// <summary>Updates that a pass over a batch is divided into, each of the same number of prompts.</summary>
    [Range(1, Limits.Sequences)]
    public int Minibatches { get; init; } = 1;

    /// <summary>Passes over a batch.</summary>
    [Range(1, 1000)]
    public int Epochs { get; init; } = 1;

    /// <summary>The chat template that prompts were made with, by name or as a file: it says what ends an answer.</summary>
    public string Template { get; init; } = "internlm2";

    /// <summary>Subtracted from the reward of an answer that does not end within its tokens.</summary>
    [Range(0)]
    public double MissingEndPenalty { get; init; }

    /// <summary>Updates of a batch.</summary>
    public int Updates => Minibatches * Epochs;
}

/// <summary>An estimate of the divergence from the reference at a token, of the log-ratio l = log π − log π_ref, held to ±10 (Schulman, 2020).</summary>
public enum KlKind
{
    /// <summary>l: unbiased, may be negative.</summary>
    K1,

    /// <summary>½·l²: never negative.</summary>
    K2,

    /// <summary>exp(−l) − 1 + l: unbiased, never negative.</summary>
    K3,
}

/// <summary>What the rewards of a group are divided by.</summary>
public enum AdvantageScale
{
    /// <summary>Their standard deviation, plus 1e-4.</summary>
    Std,

    /// <summary>Nothing (Liu et al., Dr. GRPO, 2025).</summary>
    None,
}

/// <summary>What the loss of a policy is a mean over.</summary>
public enum PolicyMean
{
    /// <summary>Answers, each the mean of its tokens.</summary>
    Answer,

    /// <summary>Tokens of all answers.</summary>
    Token,
}

/// <summary>Group relative policy optimization.</summary>
public sealed record GrpoSection
{
    /// <summary>Answers to each prompt.</summary>
    [Range(2, 4096)]
    public int Group { get; init; } = 8;

    /// <summary>ε: the ratio of probabilities counts no further than 1 − ε and 1 + ε.</summary>
    [Range(0, 1, MinimumExclusive = true, MaximumExclusive = true)]
    public double Clip { get; init; } = 0.2;

    /// <summary>ε above 1 where it is another than below (Yu et al., DAPO, 2025).</summary>
    [Range(0, MinimumExclusive = true)]
    public double? ClipHigh { get; init; }

    /// <summary>β: weight of the divergence from the model that the run starts from, in the loss.</summary>
    [Range(0)]
    public double Beta { get; init; } = 0.04;

    /// <summary>Estimate of the divergence.</summary>
    public KlKind Kl { get; init; } = KlKind.K3;

    /// <summary>Divergence of an answer, in nats, towards which β is moved after each batch (Ziegler et al., 2019); 0: β is fixed.</summary>
    [Range(0)]
    public double KlTarget { get; init; }

    /// <summary>Answers over which β is moved.</summary>
    [Range(1)]
    public double KlHorizon { get; init; } = 10_000;

    /// <summary>What the advantages of a group are scaled with.</summary>
    public AdvantageScale Scale { get; init; } = AdvantageScale.Std;

    /// <summary>What the loss is a mean over.</summary>
    public PolicyMean Mean { get; init; } = PolicyMean.Answer;
}

/// <summary>What an answer is rewarded for.</summary>
public enum RewardKind
{
    /// <summary>The last number in it is the last number of the reference answer: 1, otherwise 0.</summary>
    Number,

    /// <summary>It is the reference answer, but for white space around it: 1, otherwise 0.</summary>
    Exact,

    /// <summary>The pattern matches the whole of it: 1, otherwise 0.</summary>
    Format,
}

/// <summary>A rule by which answers are rewarded; the reward is the sum of the rules, each times its weight.</summary>
public sealed record RewardRuleSection
{
    /// <summary>What is rewarded.</summary>
    public RewardKind Kind { get; init; } = RewardKind.Number;

    /// <summary>What the rule's 0 or 1 is multiplied with.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Regular expression of .NET for <c>format</c>, matched against the answer from end to end.</summary>
    public string? Pattern { get; init; }
}
