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
        if (Holds)
            StartingVocabulary.Check(configuration, "start_from", origin.Folder, Saved(origin));
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
            // Where no key of its own names it, it is one of those that are held under theirs.
            if (Holds && configuration.Ppo.CriticFrom is not null)
                StartingVocabulary.Check(configuration, "ppo.critic_from", critic.Folder, Saved(critic));
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

    /// <summary>Tokenizers are held against each other once, by the first rank, where the run begins.</summary>
    private bool Holds => begins && runtime.World.Rank == 0;

    private static RunConfiguration Saved(StartingPoint origin) =>
        CheckpointInput.ConfigurationOf(CheckpointInput.Open(origin.Folder, step: null));

    private StartingPoint RewardModelOf(string key, string path, StartingPoint? before)
    {
        var origin = before ?? StartingPoint.Find(path);
        origin.Check();
        var saved = Saved(origin);
        if (saved.Objective != ObjectiveKind.Reward)
            throw new UserErrorException(
                $"{key} names {origin.Folder}, which gives no scores: set it to a run with objective reward."
            );
        if (Holds)
            StartingVocabulary.Check(configuration, key, origin.Folder, saved);
        return origin;
    }
}
