using Uniscale.Configuration;
using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>A matrix whose output features may be split over the tensor axis, with its bias.</summary>
/// <param name="Weight">This rank's part, [out/tp, in].</param>
/// <param name="Bias">[out/tp] or null.</param>
/// <param name="KeyValue">Features are key-value heads, which several ranks hold when there are fewer heads than ranks.</param>
public readonly record struct ColumnWeights(Tensor Weight, Tensor? Bias, bool KeyValue = false);

/// <summary>
/// The primitives in which a layout is hidden from the model: on one rank they are plain operators; under tensor, sequence
/// or context parallelism they communicate in forward and backward. "Residual" below is the stream between blocks:
/// [batch, sequence, hidden], split along the sequence over the tensor axis under sequence parallelism.
/// </summary>
public interface IParallelOps
{
    /// <summary>Where gradients are summed; those of parameters that are not registered there come back from autograd.</summary>
    GradientSink Sink { get; }

    /// <summary>
    /// Where weight-gradient GEMMs are left for later; null: computed at once. It stands only while a backward pass runs
    /// (<c>BlockRunner.Differentiate</c>): libtorch calls the operations and passes them nothing of ours, so it cannot be a parameter.
    /// </summary>
    DeferredWeightGradients? Deferred { get; set; }

    /// <summary>Query heads of this rank, given the global count.</summary>
    int LocalHeads(int heads);

    /// <summary>Key and value heads of this rank; at least 1 (heads are replicated when fewer than ranks).</summary>
    int LocalKvHeads(int kvHeads);

    /// <summary>
    /// Residual from the context's tokens: rows of the vocabulary-parallel matrix plus, where a table is given, learned positions.
    /// </summary>
    Tensor Embedding(Tensor weight, Tensor? positions, long vocabulary, MicrobatchContext context);

    /// <summary>
    /// Layer or RMS normalisation of the residual; gradients of its parameters are summed over the parts of the sequence.
    /// </summary>
    Tensor Norm(NormKind kind, Tensor x, Tensor weight, Tensor? bias, double epsilon);

    /// <summary>
    /// The same, and the residual itself, to which the result of the branch is added: so the gradients that come back by both ways are
    /// summed
    /// within the norm's, instead of in a pass over memory of their own.
    /// </summary>
    (Tensor Normalised, Tensor Residual) NormBranch(NormKind kind, Tensor x, Tensor weight, Tensor? bias, double epsilon);

    /// <summary>One GEMM a matrix from the same residual; each result is [batch, whole sequence, this rank's features].</summary>
    IReadOnlyList<Tensor> ColumnLinear(Tensor x, params ReadOnlySpan<ColumnWeights> matrices);

    /// <summary>
    /// The product of this rank's features [batch, sequence, in/tp] with its part [out, in/tp] of a matrix added to the residual; the bias
    /// is whole.
    /// </summary>
    Tensor RowLinear(Tensor x, Tensor weight, Tensor? bias, Tensor residual);

    /// <summary>Rotary embedding of queries and keys [batch, sequence, heads, headDim] at the context's positions.</summary>
    (Tensor Query, Tensor Key) Rotary(Tensor q, Tensor k, RotaryFrequencies frequencies, MicrobatchContext context);

    /// <summary>
    /// Causal attention of q [batch, sequence, heads, headDim] over k, v [batch, sequence, kvHeads, headDim]; exact with document masks and
    /// under context parallelism.
    /// </summary>
    Tensor Attention(Tensor q, Tensor k, Tensor v, MicrobatchContext context);

    /// <summary>silu(gate) · up.</summary>
    Tensor Swiglu(Tensor gate, Tensor up);

    /// <summary>
    /// A feed-forward network with GELU (tanh approximation) added to the residual: W₁ is split by output features, W₂ by input features.
    /// </summary>
    Tensor GeluFeedForward(Tensor x, ColumnWeights up, ColumnWeights down, Tensor residual);

    /// <summary>
    /// Sum of cross-entropies of x·Wᵀ against the targets (−100 ignored), times the context's loss scale; fp32 [].
    /// Logits exist for a chunk of tokens at a time and are never gathered over the vocabulary. Gradients are computed in
    /// this forward if autograd records it; that of a registered weight is then summed at once, so call it once a microbatch.
    /// </summary>
    Tensor HeadLoss(Tensor x, Tensor weight, long vocabulary, MicrobatchContext context);

    /// <summary>
    /// Loss of the context's answers (<see cref="MicrobatchContext.Answers"/>) by the log-probabilities of their tokens under x·Wᵀ, times
    /// the context's loss scale; fp32 [],
    /// on one rank of the context axis, 0 on the others. As for <see cref="HeadLoss"/> gradients are computed in this forward.
    /// </summary>
    Tensor AnswerLoss(Tensor x, Tensor weight, long vocabulary, MicrobatchContext context);

    /// <summary>The same by a score x·w of each token that an answer names; the weight [1, hidden] is whole on every rank.</summary>
    Tensor ScoreLoss(Tensor x, Tensor weight, MicrobatchContext context);

    /// <summary>Logits of the residual, fp32 [batch, sequence, vocabulary], whole on every rank; not differentiable.</summary>
    Tensor Logits(Tensor x, Tensor weight, long vocabulary);
}
