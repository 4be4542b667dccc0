using System.Globalization;
using Uniscale.Checkpoints;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Training.Feeding;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runs;

namespace Uniscale.Training.Runtime;

/// <summary>
/// A critic that is trained beside the policy, step by step, and the model that scores answers: what the position, the checkpoints and the
/// start of a run know of them.
/// </summary>
public sealed partial class RankRuntime
{
    /// <summary>Beginning of the names of the critic's tensors in a checkpoint.</summary>
    public const string CriticPrefix = "critic/";

    private const string CriticUpdatesKey = "critic.updates",
        RewardOriginKey = "reward_model",
        HeldOutOriginKey = "reward_model.held_out";

    private bool _isCritic;

    /// <summary>The critic: a rank of its own run on the same data, layout and position; null: the run has none.</summary>
    public RankRuntime? Critic { get; private set; }

    /// <summary>The checkpoint of the model that scores answers; null: there is none.</summary>
    public StartingPoint? RewardOrigin { get; private set; }

    /// <summary>The checkpoint of the model whose scores are only measured; null: there is none.</summary>
    public StartingPoint? HeldOutOrigin { get; private set; }

    /// <summary>Begins the critic with the weights of a checkpoint. Collective.</summary>
    public void StartCritic(CheckpointStore store, StartingPoint origin)
    {
        var critic = Critic ?? throw new InvalidOperationException("The run has no critic.");
        critic._executor.Settle();
        StartingWeights.Load(critic.Model, store, origin.Folder, Configuration.Ppo.FreshCriticHead);
        critic._kernels.ParametersChanged();
    }

    /// <summary>Takes the weights of the model that scores answers. Collective.</summary>
    public void StartRewardModel(CheckpointStore store, StartingPoint origin)
    {
        RewardOrigin = origin;
        (_rewardModel ?? throw new InvalidOperationException("The run has no reward model.")).Load(store, origin.Folder);
        _kernels.ParametersChanged();
    }

    /// <summary>Takes the weights of the model whose scores are only measured. Collective.</summary>
    public void StartHeldOutModel(CheckpointStore store, StartingPoint origin)
    {
        HeldOutOrigin = origin;
        (_heldOutModel ?? throw new InvalidOperationException("The run has no second reward model.")).Load(store, origin.Folder);
        _kernels.ParametersChanged();
    }

    private static RankRuntime WithCritic(RankRuntime runtime, int vocabulary)
    {
        if (!runtime.Configuration.HasCritic)
            return runtime;
        try
        {
            var parts = RuntimeParts.Build(
                runtime.Configuration.OfCritic(),
                runtime.World,
                runtime.Data,
                runtime.RunTokens,
                vocabulary,
                Recording.None,
                link: null,
                buckets: null
            );
            runtime.Critic = new RankRuntime(parts) { _isCritic = true };
            return runtime;
        }
        catch
        {
            runtime.Dispose();
            throw;
        }
    }

    private static StateSlice OfCritic(StateSlice slice) => slice with { Name = CriticPrefix + slice.Name };

    private static StepDecision WithMeasuresOf(StepDecision decision, StepOutcome? critic) =>
        critic is null
            ? decision
            : decision with
            {
                Measures = new Dictionary<string, double>([
                    .. decision.Measures,
                    .. critic.Decision.Measures,
                    new("critic/grad", critic.Decision.GradientNorm),
                    new("critic/skipped", critic.Decision.Applied ? 0 : 1),
                ]),
            };

    /// <summary>A step in which the policy rests: the critic's decision stands for it, and only the position goes on.</summary>
    private StepOutcome ConcludeCriticAlone(StepPlan plan, StepOutcome critic)
    {
        var decision = Rollouts!.Done(
            this,
            plan,
            WithMeasuresOf(critic.Decision with { Measures = new Dictionary<string, double>() }, critic)
        );
        Position = new TrainingPosition(Position.Step + 1, Position.ConsumedTokens + plan.Tokens, Position.Updates);
        return new StepOutcome(Position, plan, decision, default(StepJudgement), critic.LearningRate, TimeSpan.Zero, TimeSpan.Zero)
        {
            PolicyRests = true,
        };
    }

    private IEnumerable<KeyValuePair<string, string>> CriticToExtra() =>
        [
            .. Critic is null
                ? (KeyValuePair<string, string>[])[]
                : [new(CriticUpdatesKey, Critic.Position.Updates.ToString(CultureInfo.InvariantCulture))],
            .. RewardOrigin?.ToExtra(RewardOriginKey) ?? [],
            .. HeldOutOrigin?.ToExtra(HeldOutOriginKey) ?? [],
        ];

    private void RestoreCritic(IReadOnlyDictionary<string, string> extra)
    {
        if (Critic is null)
            return;
        long updates = extra.TryGetValue(CriticUpdatesKey, out string? text) ? long.Parse(text, CultureInfo.InvariantCulture) : 0;
        Critic.Position = Position with { Updates = updates };
    }
}
