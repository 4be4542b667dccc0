using Uniscale.Checkpoints;
using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Kernels.Optimizer;
using Uniscale.Programs;
using Uniscale.Training.Feeding;

namespace Uniscale.Training.Runtime;

/// <summary>
/// A model beside the one that is trained, on the same layout, which only reads: it has no gradients and no optimizer state, and under
/// ZeRO-3 its parameters are
/// sharded too.
/// </summary>
internal sealed class ReferenceModel : IDisposable
{
    private readonly Programs _programs;
    private readonly RankState _model;
    private readonly StepExecutor _executor;

    private ReferenceModel(Programs programs, RankState model)
    {
        _programs = programs;
        _model = model;
        _executor = new StepExecutor(model, NativeOptimizerKernel.For(model.Link.Device));
    }

    /// <summary>Makes one with the first weights of a run.</summary>
    /// <param name="configuration">The run.</param>
    /// <param name="programs">Programs of the layout.</param>
    /// <param name="trained">The model that is trained, whose groups, primitives and link the other shares.</param>
    public static ReferenceModel Build(RunConfiguration configuration, Programs programs, RankState trained)
    {
        var blocks = BlockFactory.Build(configuration, programs.Base, trained.Groups, trained.ActivationType, trained.Link, isFrozen: true);
        return new ReferenceModel(
            programs,
            new RankState(trained.Groups, trained.Ops, blocks, trained.ActivationType, trained.Link, ownsLink: false)
        );
    }

    /// <summary>Makes one that scores answers, with programs of its own.</summary>
    /// <param name="configuration">The run.</param>
    /// <param name="programs">Programs of its layout.</param>
    /// <param name="trained">The model that is trained.</param>
    /// <param name="world">All ranks.</param>
    /// <param name="vocabulary">Entries of the tokenizer.</param>
    public static ReferenceModel OfScores(
        RunConfiguration configuration,
        Programs programs,
        RankState trained,
        IWorld world,
        int vocabulary
    )
    {
        var scores = configuration.OfCritic();
        var blocks = BlockFactory.Build(scores, programs.Base, trained.Groups, trained.ActivationType, trained.Link, isFrozen: true);
        var model = new RankState(trained.Groups, trained.Ops, blocks, trained.ActivationType, trained.Link, ownsLink: false);
        return new ReferenceModel(new Programs(scores, world.Rank, world.Size, vocabulary, trained.Link), model);
    }

    /// <summary>Programs that go forward only, and this rank's share of a step.</summary>
    public (StepSpecification Specification, StepProgram Program, BatchView View) ProgramFor(StepPlan plan) =>
        _programs.ForEvaluation(plan);

    /// <summary>Takes the weights of a checkpoint. Collective.</summary>
    public void Load(CheckpointStore store, string folder)
    {
        _executor.Settle();
        StartingWeights.Load(_model, store, folder);
    }

    /// <summary>Reads what the log-probabilities of a batch's answers, or of their tokens, are under this model. Collective.</summary>
    public void Read(StepPlan plan, SequenceBatch batch)
    {
        var (loss, tokenLoss) = (batch.Loss, batch.TokenLoss);
        (batch.Loss, batch.TokenLoss) = (null, null);
        var (specification, program, _) = _programs.ForEvaluation(plan);
        _executor.Evaluate(specification, program, batch);
        (batch.Loss, batch.TokenLoss) = (loss, tokenLoss);
    }

    /// <summary>Waits until nothing posted touches the memory, which is about to be freed.</summary>
    public void Abandon() => _executor.Abandon();

    /// <inheritdoc/>
    public void Dispose() => _model.Dispose();
}
