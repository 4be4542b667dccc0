using Uniscale.Engine.Devices;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>How a parameter begins.</summary>
/// <param name="Std">Standard deviation of a normal distribution; 0 for a constant.</param>
/// <param name="Constant">The value where <paramref name="Std"/> is 0.</param>
public readonly record struct Initializer(double Std, double Constant = 0);

/// <summary>A parameter of a block, by its global name and shape; no layout is in it.</summary>
/// <param name="Name">Global name, e.g. <c>layers.3.attention.wq.weight</c>.</param>
/// <param name="Shape">Global shape.</param>
/// <param name="Initializer">First values, a function of (seed, name, element), whatever the layout.</param>
/// <param name="Decay">Takes part in weight decay.</param>
public sealed record ParameterSpec(string Name, long[] Shape, Initializer Initializer, bool Decay);

/// <summary>What a block needs to know of the microbatch besides its input.</summary>
public sealed record MicrobatchContext
{
    /// <summary>Target of a token that takes no part in the loss.</summary>
    public const long Ignored = -100;

    /// <summary>Number of the microbatch within the step.</summary>
    public required int Index { get; init; }

    /// <summary>Token ids, int64 [batch, sequence] (this rank's part of the sequence under context parallelism).</summary>
    public required Tensor Tokens { get; init; }

    /// <summary>
    /// Next tokens, int64 [batch, sequence]; −100 where no loss is taken: behind the end of a document, and wherever the data's marks say
    /// so
    /// (<see cref="Data.TokenMarks.Learned"/>). Null where the model is only read and no loss is asked for.
    /// </summary>
    public Tensor? Targets { get; init; }

    /// <summary>Position of each token for rotary or learned positions, int64 [batch, sequence]; null: 0, 1, 2 …</summary>
    public Tensor? Positions { get; init; }

    /// <summary>
    /// Document number of each token, int64 [batch, sequence]; null: one document a sequence, no mask but the causal one.
    /// </summary>
    public Tensor? Documents { get; init; }

    /// <summary>Answers that are compared; null: every target is learned for itself.</summary>
    public AnswerSet? Answers { get; init; }

    /// <summary>Answers of the model's own whose tokens have each a loss; null: there are none.</summary>
    public RolloutTokens? Rollouts { get; init; }

    /// <summary>Base of the rotary angles where the phase has its own; null: the model's.</summary>
    public double? RopeBase { get; init; }

    /// <summary>What the sum of token losses is multiplied with before backward: 1 / valid tokens of the global batch.</summary>
    public LossScale LossScale { get; init; }

    /// <summary>
    /// Receives each target's loss in nats from the head, unscaled, 0 where none is taken; fp32 [batch, sequence]. Null: nobody asks.
    /// </summary>
    public Tensor? TokenLosses { get; init; }
}

/// <summary>
/// One of the row of blocks that a model is: embedding, transformer blocks, head with loss. Plain single-device mathematics:
/// what a layout changes is behind the primitives of <see cref="IParallelOps"/>.
/// </summary>
public abstract class Block
{
    /// <summary>Name of the projection of a score's head, which a model of tokens does not have.</summary>
    public const string ScoreWeight = "head.score.weight";

    /// <summary>Global name, e.g. <c>embedding</c>, <c>layers.3</c>, <c>head</c>.</summary>
    public abstract string Name { get; }

    /// <summary>
    /// Parameters in the order in which <see cref="Forward"/> takes them. With tied embeddings the head names the embedding's matrix
    /// (<c>embedding.tokens.weight</c>) among its own: the same tensor on one rank, a copy of it on another stage.
    /// </summary>
    public abstract IReadOnlyList<ParameterSpec> Parameters { get; }

    /// <summary>
    /// Computes the block. The embedding takes no input and reads the context's tokens; transformer blocks map
    /// [batch, sequence, hidden] to the same; the head returns the scaled sum of token losses, or of losses of comparisons, fp32 [].
    /// </summary>
    /// <param name="parameters">Views of this rank's part of the parameters, in the order of <see cref="Parameters"/>.</param>
    /// <param name="input">Output of the block below, or null for the embedding.</param>
    /// <param name="context">The microbatch.</param>
    /// <param name="ops">The primitives that carry out the layout.</param>
    public abstract Tensor Forward(IReadOnlyList<Tensor> parameters, Tensor? input, MicrobatchContext context, IParallelOps ops);
}
