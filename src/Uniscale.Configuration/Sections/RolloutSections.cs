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

    /// <summary>
    /// Tokens are drawn from the smallest set whose probabilities sum to at least this. Below 1 they are not drawn from the policy itself,
    /// of which the run warns.
    /// </summary>
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

    /// <summary>Answers that are written down while the run goes on.</summary>
    public SamplesSection Samples { get; init; } = new();

    /// <summary>Updates of a batch.</summary>
    public int Updates => Minibatches * Epochs;
}

/// <summary>
/// Answers to prompts of files, drawn with the weights at some steps and at the end, always with the same random numbers, and written to
/// <c>alignment/answers-NNNNNNNN.jsonl</c> in the run directory with their rewards.
/// </summary>
public sealed record SamplesSection
{
    /// <summary>Files of prompts with their reference answers; empty: nothing is written down.</summary>
    public IReadOnlyList<string> Prompts { get; init; } = [];

    /// <summary>Form of the files, as <c>data chat --format</c> has it: prompt, messages, alpaca, sharegpt.</summary>
    public string Format { get; init; } = "prompt";

    /// <summary>Domain of prompts that name none.</summary>
    public string Domain { get; init; } = "chat";

    /// <summary>Steps after which answers are drawn, besides the last; 0: before the first.</summary>
    public IReadOnlyList<long> Steps { get; init; } = [];

    /// <summary>Prompts that are answered, spread over the files; 0: all.</summary>
    [Range(0)]
    public int Count { get; init; } = 256;
}

/// <summary>
/// An estimate of the divergence from the reference at a token, of the log-ratio l = log π − log π_ref, held to ±10 (Schulman, 2020).
/// </summary>
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

    /// <summary>
    /// Divergence of an answer, in nats, towards which β is moved after each batch (Ziegler et al., 2019); 0: β is fixed.
    /// </summary>
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

    /// <summary>The score of the reward model (<c>reward_model</c>).</summary>
    Model,
}

/// <summary>A rule by which answers are rewarded; the reward is the sum of the rules, each times its weight.</summary>
public sealed record RewardRuleSection
{
    /// <summary>What is rewarded.</summary>
    public RewardKind Kind { get; init; } = RewardKind.Number;

    /// <summary>What the rule's 0 or 1, or the score, is multiplied with.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>Regular expression of .NET for <c>format</c>, matched against the answer from end to end.</summary>
    public string? Pattern { get; init; }
}

/// <summary>
/// The model that scores answers (<c>rewards: [{kind: model}]</c>): of the same shape and layout as the policy, but for its head.
/// </summary>
public sealed record RewardModelSection
{
    /// <summary>Run with <c>objective: reward</c>, or one of its checkpoints.</summary>
    [FilePath]
    public string? From { get; init; }

    /// <summary>
    /// Another reward model, whose scores are measured (<c>reward/held_out</c>) and never learned from: where they fall while the others
    /// rise, the reward model is being deceived.
    /// </summary>
    [FilePath]
    public string? HeldOut { get; init; }

    /// <summary>System prompt of each domain, which reward models alone see; a domain without one has none.</summary>
    public IReadOnlyDictionary<string, string> Conditions { get; init; } = new Dictionary<string, string>();

    /// <summary>Piece at which the score is read; not set: the template's.</summary>
    public string? Token { get; init; }
}

/// <summary>Proximal policy optimization with a critic.</summary>
public sealed record PpoSection
{
    /// <summary>Published recipe whose values are taken where the file is silent: internlm2, instructgpt, openrlhf, trl.</summary>
    public string? Preset { get; init; }

    /// <summary>ε: the ratio of probabilities counts no further than 1 − ε and 1 + ε.</summary>
    [Range(0, 1, MinimumExclusive = true, MaximumExclusive = true)]
    public double Clip { get; init; } = 0.2;

    /// <summary>How far a value counts from the one that the batch was read with; 0: as far as it goes.</summary>
    [Range(0)]
    public double ValueClip { get; init; } = 0.2;

    /// <summary>What the critic's loss is multiplied with.</summary>
    [Range(0, MinimumExclusive = true)]
    public double ValueCoefficient { get; init; } = 1;

    /// <summary>γ: what a reward one token later is worth.</summary>
    [Range(0, 1)]
    public double Gamma { get; init; } = 1;

    /// <summary>λ of generalized advantage estimation (Schulman et al., 2016).</summary>
    [Range(0, 1)]
    public double Lambda { get; init; } = 0.95;

    /// <summary>β: weight of the divergence from the model that the run starts from, subtracted from the reward of each token.</summary>
    [Range(0)]
    public double Beta { get; init; } = 0.05;

    /// <summary>Estimate of the divergence.</summary>
    public KlKind Kl { get; init; } = KlKind.K1;

    /// <summary>
    /// Divergence of an answer, in nats, towards which β is moved after each batch (Ziegler et al., 2019); 0: β is fixed.
    /// </summary>
    [Range(0)]
    public double KlTarget { get; init; }

    /// <summary>Answers over which β is moved.</summary>
    [Range(1)]
    public double KlHorizon { get; init; } = 10_000;

    /// <summary>Subtracted from each reward, e.g. the mean of the reference's answers.</summary>
    public double RewardBias { get; init; }

    /// <summary>Rewards are divided by the standard deviation of all rewards so far, after their mean is subtracted.</summary>
    public bool NormaliseRewards { get; init; }

    /// <summary>Rewards are held to so much on either side of 0, after that; 0: they are not.</summary>
    [Range(0)]
    public double RewardClip { get; init; }

    /// <summary>Rewards of tokens are divided by their standard deviation in the batch.</summary>
    public bool WhitenRewards { get; init; }

    /// <summary>Advantages of the batch are brought to mean 0 and variance 1.</summary>
    public bool WhitenAdvantages { get; init; } = true;

    /// <summary>What the losses are a mean over.</summary>
    public PolicyMean Mean { get; init; } = PolicyMean.Token;

    /// <summary>Run or checkpoint that the critic begins with; not set: the reward model's, or else the policy's.</summary>
    [FilePath]
    public string? CriticFrom { get; init; }

    /// <summary>The critic's head begins as <c>model.score_std</c> says, also where its run has one.</summary>
    public bool FreshCriticHead { get; init; } = true;

    /// <summary>Peak of the critic's learning rate; not set: the policy's.</summary>
    [Range(0, MinimumExclusive = true)]
    public double? CriticLr { get; init; }

    /// <summary>Batches at the beginning from which the critic alone learns.</summary>
    [Range(0)]
    public int CriticWarmup { get; init; }

    /// <summary>
    /// Weight of the loss of text that the policy is not to forget: sequences of those <c>data.sources</c> that are plain text. 0: none.
    /// </summary>
    [Range(0)]
    public double Ptx { get; init; }

    /// <summary>Sequences of that text in each update.</summary>
    [Range(0, Limits.Sequences)]
    public int PtxSequences { get; init; }
}
