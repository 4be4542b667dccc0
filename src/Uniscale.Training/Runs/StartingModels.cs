using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>The models that a run begins with or compares with: what it starts from, its critic, its reward models.</summary>
/// <param name="configuration">The run.</param>
/// <param name="runtime">Takes their weights.</param>
/// <param name="store">Reads their checkpoints.</param>
/// <param name="begins">The run begins; otherwise it goes on, with weights of its own.</param>
internal sealed class StartingModels(RunConfiguration configuration, RankRuntime runtime, CheckpointStore store, bool begins)
{
    /// <summary>Loads those that this start needs. Collective.</summary>
    public void Load()
    {
        if (configuration.StartFrom is not { } path)
            return;
        var origin = begins ? StartingPoint.Find(path) : runtime.Origin;
        // What a run does not compare with may be gone once it has begun.
        if (origin is null || (!begins && !configuration.Objective.ReadsReference()))
            return;
        origin.Check();
        HoldTokenizer("start_from", origin);
        runtime.StartFrom(store, origin, begins);
        LoadModelsBeside();
    }

    /// <summary>
    /// The critic begins as the reward model or the policy where nothing else is said; the reward model is the same one whenever the run
    /// goes on.
    /// </summary>
    private void LoadModelsBeside()
    {
        if (runtime.Critic is not null && begins)
        {
            var critic = StartingPoint.Find(configuration.Ppo.CriticFrom ?? configuration.RewardModel.From ?? configuration.StartFrom!);
            HoldTokenizer("ppo.critic_from", critic);
            runtime.StartCritic(store, critic);
        }
        if (!configuration.ReadsScores)
            return;
        var section = configuration.RewardModel;
        runtime.StartRewardModel(store, RewardModelOf("reward_model.from", section.From!, begins ? null : runtime.RewardOrigin));
        if (configuration.ReadsHeldOutScores)
            runtime.StartHeldOutModel(
                store,
                RewardModelOf("reward_model.held_out", section.HeldOut!, begins ? null : runtime.HeldOutOrigin)
            );
    }

    /// <summary>Once, by the first rank, where the run begins.</summary>
    private void HoldTokenizer(string key, StartingPoint origin)
    {
        if (begins && runtime.World.Rank == 0)
            StartingVocabulary.Check(configuration, key, origin.Folder);
    }

    private StartingPoint RewardModelOf(string key, string path, StartingPoint? before)
    {
        var origin = before ?? StartingPoint.Find(path);
        origin.Check();
        if (CheckpointInput.ConfigurationOf(CheckpointInput.Open(origin.Folder, step: null)).Objective != ObjectiveKind.Reward)
            throw new UserErrorException(
                $"{key} names {origin.Folder}, which gives no scores: set it to a run with objective reward."
            );
        HoldTokenizer(key, origin);
        return origin;
    }
}
