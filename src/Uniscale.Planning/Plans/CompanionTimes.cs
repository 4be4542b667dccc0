using Uniscale.Configuration;
using Uniscale.Planning.Costs;

namespace Uniscale.Planning.Plans;

/// <summary>
/// What a run that learns from answers does besides the steps of its model: it draws a batch of answers, has them read by the models beside
/// it, and teaches the critic. Answers are taken as long as they may get, and prompts as long as a batch has room for, so these are upper
/// bounds; a run of shorter answers is faster.
/// </summary>
public sealed record CompanionTimes
{
    /// <summary>Updates that learn from a batch; 1 where nothing is drawn.</summary>
    public required int Updates { get; init; }

    /// <summary>Answers of a batch; 0: none are drawn.</summary>
    public required int Answers { get; init; }

    /// <summary>Tokens of an answer.</summary>
    public required int AnswerTokens { get; init; }

    /// <summary>Tokens of a prompt.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Seconds in which the prompts of a batch are read.</summary>
    public required double PromptSeconds { get; init; }

    /// <summary>Seconds in which its answers are drawn, token by token.</summary>
    public required double DrawingSeconds { get; init; }

    /// <summary>
    /// Seconds in which policy, reference, critic and reward models read the batch; where comparisons are learned, the reference a step.
    /// </summary>
    public required double ReadingSeconds { get; init; }

    /// <summary>Seconds of the critic's step in each update.</summary>
    public required double CriticSeconds { get; init; }

    /// <summary>Seconds beside each step of the model.</summary>
    public double PerStep => (PromptSeconds + DrawingSeconds + ReadingSeconds) / Updates + CriticSeconds;

    /// <summary>Times of a run beside its steps; null: there is nothing beside them.</summary>
    /// <param name="config">The run.</param>
    /// <param name="step">Its step.</param>
    public static CompanionTimes? Of(RunConfiguration config, PricedStep step)
    {
        var companions = step.Spec.Companions;
        if (companions.Drawn == 0 && companions.Frozen == 0)
            return null;
        var spec = step.Spec with { Checksum = false };
        var score = MemoryPlan.Scoring(spec);
        double Seconds(StepSpecification of) => PricedStep.Of(of, step.Cluster, step.Stack).Seconds;
        double forward = Seconds(spec with { ForwardOnly = true });
        bool scores = companions.HasCritic || companions.Scorers > 0;
        double scored = scores ? Seconds(score with { ForwardOnly = true }) : 0;
        int passes = companions.Drawn == 0 ? 1 : config.Rollout.Minibatches;
        // Where answers are drawn the policy itself reads what it has drawn.
        double reading =
            forward * (companions.References + (companions.Drawn == 0 ? 0 : 1))
            + scored * (companions.Scorers + (companions.HasCritic ? 1 : 0));
        int answer = companions.Drawn == 0 ? 0 : Math.Min(config.Rollout.MaxTokens, companions.DrawnTokens),
            prompt = companions.DrawnTokens - answer;
        return new CompanionTimes
        {
            Updates = companions.Drawn == 0 ? 1 : config.Rollout.Updates,
            Answers = companions.Drawn == 0 ? 0 : config.Rollout.Prompts * config.AnswersPerPrompt,
            AnswerTokens = answer,
            PromptTokens = prompt,
            PromptSeconds = companions.Drawn == 0 ? 0 : forward * config.Rollout.Prompts * prompt / step.Tokens,
            DrawingSeconds = companions.Drawn == 0 ? 0 : Drawing(step, answer, prompt + (answer / 2.0)),
            ReadingSeconds = passes * reading,
            CriticSeconds = companions.HasCritic ? Seconds(score) : 0,
        };
    }

    /// <summary>
    /// Drawing takes a forward pass of one token of each answer that is drawn at a time, through all stages in turn, with the keys and
    /// values of the tokens before; under ZeRO-3 the parameters are gathered once.
    /// </summary>
    private static double Drawing(PricedStep step, int tokens, double length)
    {
        var spec = step.Spec;
        var (companions, model, mesh) = (spec.Companions, spec.Model, spec.Mesh);
        var token = spec with
        {
            Model = model with { Context = 1 },
            Mesh = mesh with { Context = 1, Data = mesh.Data * mesh.Context },
            Microbatches = 1,
            MicrobatchSize = companions.Drawn,
            SequenceParallel = false,
            Recompute = RecomputeKind.None,
            ForwardOnly = true,
        };
        var costs = new InstructionCosts(token, step.Cluster, step.Stack);
        double pass = 0,
            gather = 0;
        var shards = costs.Links.PlaceOf(RankGroups.Of(spec, 0).Shards);
        for (int block = 0; block < model.BlockCount; block++)
        {
            pass += costs.Of(new Instruction(Op.Forward, block)).Total;
            gather += spec.Sharding == 3 ? costs.Gather(block, shards) : 0;
        }
        double keys = 2.0 * Math.Max(1, model.KvHeads / mesh.Tensor) * model.HeadDim * spec.ActivationBytes;
        pass += costs.Read(companions.Drawn * length * model.Layers * keys);
        double turns = Math.Ceiling((double)companions.DrawnInBatch / companions.Drawn);
        return turns * tokens * pass + gather;
    }
}
