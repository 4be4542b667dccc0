using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Objectives;
using Uniscale.Training.Runtime;

namespace Uniscale.Alignment.Rollouts;

/// <summary>How answers that were drawn and rewarded become something to learn from.</summary>
/// <param name="kl">Weight of the divergence.</param>
/// <param name="mean">What the loss is a mean over.</param>
internal abstract class PolicyMethod(KlController kl, PolicyMean mean)
{
    /// <summary>Weight of the divergence.</summary>
    public KlController Kl => kl;

    /// <summary>Whether the loss is a mean over answers.</summary>
    public bool CountsAnswers => mean == PolicyMean.Answer;

    /// <summary>Weight of the divergence in the loss.</summary>
    public abstract double LossWeight { get; }

    /// <summary>The method of a run.</summary>
    public static PolicyMethod Of(RunConfiguration configuration) =>
        configuration.Objective == ObjectiveKind.Ppo ? new PpoMethod(configuration.Ppo) : new GrpoMethod(configuration.Grpo);

    /// <summary>Says how much better each token was than expected. Rewards and log-probabilities are known. Collective.</summary>
    /// <param name="runtime">The run.</param>
    /// <param name="batch">The answers.</param>
    /// <param name="stepOf">The first step that learns from a minibatch.</param>
    public abstract void Judge(RankRuntime runtime, RolloutBatch batch, Func<int, StepPlan> stepOf);

    /// <summary>What is told of a batch besides.</summary>
    public abstract IEnumerable<KeyValuePair<string, double>> Measure(RolloutBatch batch);

    /// <summary>Whether the critic alone learns from a batch.</summary>
    public virtual bool TeachesCriticAlone(long batch) => false;

    /// <summary>What a checkpoint keeps.</summary>
    public virtual IEnumerable<KeyValuePair<string, string>> ToExtra() => kl.ToExtra();

    /// <summary>Takes back what a checkpoint has kept.</summary>
    public virtual void Restore(IReadOnlyDictionary<string, string> extra) => kl.Restore(extra);
}

/// <summary>Advantages beside the other answers to the same prompt; the divergence is a part of the loss.</summary>
/// <param name="section">Constants.</param>
internal sealed class GrpoMethod(GrpoSection section)
    : PolicyMethod(new KlController(section.Beta, section.KlTarget, section.KlHorizon), section.Mean)
{
    public override double LossWeight => Kl.Beta;

    public override void Judge(RankRuntime runtime, RolloutBatch batch, Func<int, StepPlan> stepOf)
    {
        var advantages = batch
            .Answers.Chunk(section.Group)
            .SelectMany(group => GroupAdvantages.Of([.. group.Select(answer => answer.Reward)], section.Scale));
        foreach (var (answer, advantage) in batch.Answers.Zip(advantages))
            answer.Advantages = [.. Enumerable.Repeat(advantage, answer.Tokens.Length)];
    }

    public override IEnumerable<KeyValuePair<string, double>> Measure(RolloutBatch batch) =>
        [
            new(
                "frac_reward_zero_std",
                batch.Answers.Chunk(section.Group).Average(group => group.All(answer => answer.Reward == group[0].Reward) ? 1.0 : 0)
            ),
        ];
}

/// <summary>
/// Advantages over what the critic foresaw; the divergence is taken from the reward of each token, and the answer's reward comes with its
/// last.
/// </summary>
/// <param name="section">Constants.</param>
internal sealed class PpoMethod(PpoSection section)
    : PolicyMethod(new KlController(section.Beta, section.KlTarget, section.KlHorizon), section.Mean)
{
    private readonly RunningMoments _moments = new();

    public override double LossWeight => 0;

    public override bool TeachesCriticAlone(long batch) => batch < section.CriticWarmup;

    public override void Judge(RankRuntime runtime, RolloutBatch batch, Func<int, StepPlan> stepOf)
    {
        for (int minibatch = 0; minibatch < batch.Minibatches; minibatch++)
            batch.Deal(minibatch, runtime.Read(stepOf(minibatch), RolloutReader.Critic), (answer, values) => answer.Values = values);
        if (section.NormaliseRewards)
            foreach (var answer in batch.Answers)
                _moments.Add(answer.Reward - section.RewardBias);
        double[][] rewards = [.. batch.Answers.Select(TokenRewards)];
        if (section.WhitenRewards)
            GeneralizedAdvantages.Whiten(rewards, shifts: false);
        foreach (var (answer, own) in batch.Answers.Zip(rewards))
            (answer.Advantages, answer.Returns) = GeneralizedAdvantages.Of(own, answer.Values, section.Gamma, section.Lambda);
        if (section.WhitenAdvantages)
            GeneralizedAdvantages.Whiten([.. batch.Answers.Select(answer => answer.Advantages)], shifts: true);
    }

    public override IEnumerable<KeyValuePair<string, double>> Measure(RolloutBatch batch) =>
        [
            new(
                "objective/non_score_reward",
                batch.Answers.Average(answer =>
                    -Kl.Beta * answer.Old.Zip(answer.Reference, (policy, reference) => Divergence.Of(section.Kl, policy, reference)).Sum()
                )
            ),
            new("val/return_avg", batch.Answers.Average(answer => answer.Returns.Average())),
        ];

    public override IEnumerable<KeyValuePair<string, string>> ToExtra() => [.. base.ToExtra(), .. _moments.ToExtra()];

    public override void Restore(IReadOnlyDictionary<string, string> extra)
    {
        base.Restore(extra);
        _moments.Restore(extra);
    }

    private double[] TokenRewards(DrawnAnswer answer)
    {
        double reward = answer.Reward - section.RewardBias;
        if (section.NormaliseRewards)
            reward = _moments.Normalise(reward);
        if (section.RewardClip > 0)
            reward = Math.Clamp(reward, -section.RewardClip, section.RewardClip);
        double[] rewards =
        [
            .. answer.Old.Zip(answer.Reference, (policy, reference) => -Kl.Beta * Divergence.Of(section.Kl, policy, reference)),
        ];
        rewards[^1] += reward;
        return rewards;
    }
}
