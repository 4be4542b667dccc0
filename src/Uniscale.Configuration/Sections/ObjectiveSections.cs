using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>What a run learns.</summary>
public enum ObjectiveKind
{
    /// <summary>The next token, everywhere.</summary>
    Pretrain,

    /// <summary>The next token of answers (supervised fine-tuning).</summary>
    Sft,

    /// <summary>A score that is higher for the better of two answers (a reward model).</summary>
    Reward,

    /// <summary>
    /// To make the better of two answers likelier than the model does that the run starts from (direct preference optimization; Rafailov et
    /// al., 2023).
    /// </summary>
    Dpo,

    /// <summary>
    /// To give answers of its own that are rewarded, each judged beside the others to its prompt (group relative policy optimization; Shao
    /// et al., 2024).
    /// </summary>
    Grpo,

    /// <summary>
    /// The same with a critic that foresees the reward at every token (proximal policy optimization; Schulman et al., 2017).
    /// </summary>
    Ppo,
}

/// <summary>What objectives have in common.</summary>
public static class ObjectiveKinds
{
    /// <summary>Whether answers are compared, rather than tokens learned.</summary>
    public static bool ComparesAnswers(this ObjectiveKind objective) => objective is ObjectiveKind.Reward or ObjectiveKind.Dpo;

    /// <summary>Whether the model learns from answers that it draws itself.</summary>
    public static bool DrawsAnswers(this ObjectiveKind objective) => objective is ObjectiveKind.Grpo or ObjectiveKind.Ppo;

    /// <summary>Whether the model is compared with the one that the run starts from, which is held beside it.</summary>
    public static bool ReadsReference(this ObjectiveKind objective) => objective == ObjectiveKind.Dpo || objective.DrawsAnswers();
}

/// <summary>What the last block of the model gives.</summary>
public enum HeadKind
{
    /// <summary>A logit of each entry of the vocabulary.</summary>
    Vocabulary,

    /// <summary>One number for each token.</summary>
    Score,
}

/// <summary>Loss of a pair of answers in a reward model.</summary>
public enum RankingKind
{
    /// <summary>−log σ(better − worse) (Bradley and Terry, 1952).</summary>
    Ranking,

    /// <summary>
    /// The same, times (1 − 2·max(0, σ(better − worse) − ½))^γ: pairs that are told apart already count less (InternLM2 report).
    /// </summary>
    Focal,
}

/// <summary>The loss of a reward model.</summary>
public sealed record RewardSection
{
    /// <summary>
    /// Published recipe whose values are taken where the file is silent: internlm2 (the report), internlm2-code (the released code),
    /// instructgpt, openrlhf.
    /// </summary>
    public string? Preset { get; init; }

    /// <summary>Loss of a pair.</summary>
    public RankingKind Loss { get; init; } = RankingKind.Focal;

    /// <summary>γ of the focal loss.</summary>
    [Range(0)]
    public double FocalGamma { get; init; } = 2;

    /// <summary>
    /// Weight of the barrier −log(bound − score) − log(bound + score) of both scores, which holds them within the bound; 0: none.
    /// </summary>
    [Range(0)]
    public double Barrier { get; init; } = 0.01;

    /// <summary>Bound of the barrier.</summary>
    [Range(0, MinimumExclusive = true)]
    public double BarrierBound { get; init; } = 5;

    /// <summary>Scores are held so far within the bound before the logarithm is taken; outside, the barrier has no gradient.</summary>
    [Range(0, MinimumExclusive = true)]
    public double BarrierMargin { get; init; } = 0.001;
}

/// <summary>Direct preference optimization.</summary>
public sealed record DpoSection
{
    /// <summary>β: the larger, the nearer the model stays to the one that it starts from.</summary>
    [Range(0, MinimumExclusive = true)]
    public double Beta { get; init; } = 0.1;

    /// <summary>Share of pairs that are taken to be labelled the wrong way round (Mitchell, 2023).</summary>
    [Range(0, 0.5, MaximumExclusive = true)]
    public double LabelSmoothing { get; init; }

    /// <summary>
    /// Log-probabilities are means over an answer's tokens instead of sums, so that long answers are not preferred for their length.
    /// </summary>
    public bool LengthNormalised { get; init; }
}
