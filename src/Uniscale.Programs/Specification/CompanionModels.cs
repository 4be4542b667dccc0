using Uniscale.Configuration;

namespace Uniscale.Programs;

/// <summary>
/// What a run that learns from answers has beside the model of its program: models of the same shape and layout, and answers that are
/// drawn.
/// </summary>
public sealed record CompanionModels
{
    /// <summary>Nothing beside it.</summary>
    public static CompanionModels None { get; } = new();

    /// <summary>Models with the same head that are only read: parameters without gradients and optimizer state.</summary>
    public int References { get; init; }

    /// <summary>Models that are only read and whose head gives a score.</summary>
    public int Scorers { get; init; }

    /// <summary>Whether a critic, whose head gives a score, is trained beside it.</summary>
    public bool HasCritic { get; init; }

    /// <summary>Answers that a rank draws at a time; 0: none are drawn.</summary>
    public int Drawn { get; init; }

    /// <summary>Tokens of a prompt with its answer at most, for which there is room in a batch.</summary>
    public int DrawnTokens { get; init; }

    /// <summary>All answers of a batch that one replica draws.</summary>
    public int DrawnInBatch { get; init; }

    /// <summary>Models that are only read.</summary>
    public int Frozen => References + Scorers;

    /// <summary>The companions of a run.</summary>
    /// <param name="config">The run.</param>
    /// <param name="replicas">Replicas that draw the answers of different prompts: data × context.</param>
    public static CompanionModels Of(RunConfiguration config, int replicas)
    {
        var models = new CompanionModels
        {
            References = config.ReadsReference ? 1 : 0,
            Scorers = (config.ReadsScores ? 1 : 0) + (config.ReadsHeldOutScores ? 1 : 0),
            HasCritic = config.HasCritic,
        };
        if (!config.Objective.DrawsAnswers())
            return models;
        var rollout = config.Rollout;
        int ofReplica = (rollout.Prompts + replicas - 1) / replicas * config.AnswersPerPrompt,
            ofUpdate = rollout.Prompts / rollout.Minibatches * config.AnswersPerPrompt,
            packs = Math.Max(1, config.Batch.Global - (config.Objective == ObjectiveKind.Ppo ? config.Ppo.PtxSequences : 0));
        return models with
        {
            Drawn = Math.Min(rollout.Batch, ofReplica),
            DrawnInBatch = ofReplica,
            // As many whole samples must fit into a pack as there are more answers than packs.
            DrawnTokens = config.Model.Context / ((ofUpdate + packs - 1) / packs),
        };
    }
}
