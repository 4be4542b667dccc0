using Uniscale.Configuration;
using Uniscale.Kernels.Reference;
using static TorchSharp.torch;

namespace Uniscale.Kernels;

/// <summary>
/// The mathematics of a block on one device, forward and backward, as plain functions: no autograd, no communication, no state
/// but copies of weights.
/// Every tensor goes in detached; results belong to the caller's dispose scope. Inputs are fp32 or bf16; norms, rotations,
/// softmax and loss are computed in fp32 whatever the input. <see cref="TorchKernels"/> is the plain twin of every faster implementation.
/// </summary>
public interface IKernels
{
    /// <summary>Weight matrices may have new values or another place: copies that kernels keep of them are stale.</summary>
    void ParametersChanged();

    /// <summary>
    /// Rows of a table that holds the entries [first, first + entries) of a larger one; zeros for ids outside. [..., hidden].
    /// </summary>
    /// <param name="ids">int64 [...].</param>
    /// <param name="table">[at least entries, hidden].</param>
    /// <param name="first">First entry.</param>
    /// <param name="entries">Number of entries.</param>
    Tensor Embedding(Tensor ids, Tensor table, long first, long entries);

    /// <summary>Adds the gradient of each row of <see cref="Embedding"/> to its entry of the fp32 accumulator.</summary>
    void AccumulateEmbeddingGradient(Tensor accumulator, Tensor ids, Tensor gradient, long first, long entries);

    /// <summary>x·Wᵀ + b, and <paramref name="residual"/> added where given: [..., in] × [out, in] → [..., out].</summary>
    Tensor Linear(Tensor x, Tensor weight, Tensor? bias, Tensor? residual = null);

    /// <summary>x·Wᵀ + b and its <see cref="Gelu"/>.</summary>
    (Tensor Product, Tensor Activated) LinearGelu(Tensor x, Tensor weight, Tensor? bias);

    /// <summary>Writes x·Wᵀ, [tokens, hidden] × [entries, hidden], to the contiguous fp32 tensor [tokens, entries].</summary>
    void Logits(Tensor x, Tensor weight, Tensor output);

    /// <summary>Gradient of x: dy·W, [..., out] → [..., in].</summary>
    Tensor LinearInputGradient(Tensor gradient, Tensor weight);

    /// <summary>The same, written to the contiguous <paramref name="result"/> or added to it.</summary>
    void LinearInputGradient(Tensor gradient, Tensor weight, Tensor result, bool add);

    /// <summary>
    /// Gradient of what the linear layer's input is the <see cref="Gelu"/> of: dy·W · gelu'(pre), [..., out] → [..., in].
    /// </summary>
    Tensor LinearInputGradientBeforeGelu(Tensor gradient, Tensor weight, Tensor pre);

    /// <summary>Gradient of W: dyᵀ·x over all tokens, [out, in], in the type of x.</summary>
    Tensor LinearWeightGradient(Tensor gradient, Tensor x);

    /// <summary>
    /// Adds dyᵀ·x to a sum [out, in], and the sum of dy over all tokens, which is the gradient of a bias, to <paramref name="bias"/> [out].
    /// </summary>
    void AccumulateWeightGradient(GradientSum sum, Tensor gradient, Tensor x, GradientSum? bias = null);

    /// <summary>Layer or RMS normalisation over the last dim.</summary>
    NormResult Norm(NormKind kind, Tensor x, Tensor weight, Tensor? bias, double epsilon);

    /// <summary>
    /// Gradients of a normalisation from its input and the statistics of its forward; <paramref name="carried"/>, what comes back to the
    /// input
    /// beside the norm, is added to the input's.
    /// </summary>
    NormGradients NormBackward(NormKind kind, Tensor gradient, Tensor x, Tensor weight, Tensor? mean, Tensor scale, Tensor? carried = null);

    /// <summary>
    /// Rotates pairs (i, i + headDim/2) of x [batch, sequence, heads, headDim] by the angles whose fp32 cosines and sines
    /// [batch or 1, sequence, 1, headDim/2] are given; <paramref name="inverse"/> rotates back, which is the gradient.
    /// </summary>
    Tensor Rotate(Tensor x, Tensor cosine, Tensor sine, bool inverse);

    /// <summary>silu(gate) · up.</summary>
    Tensor Swiglu(Tensor gate, Tensor up);

    /// <summary>Gradients of <see cref="Swiglu"/>.</summary>
    (Tensor Gate, Tensor Up) SwigluBackward(Tensor gradient, Tensor gate, Tensor up);

    /// <summary>GELU by its tanh approximation, as GPT-2 has it.</summary>
    Tensor Gelu(Tensor x);

    /// <summary>Gradient of <see cref="Gelu"/>.</summary>
    Tensor GeluBackward(Tensor gradient, Tensor x);

    /// <summary>
    /// softmax(q·kᵀ/√headDim)·v of q [batch, queries, heads, headDim] over k, v [batch, keys, kvHeads, headDim]; query head h reads
    /// key-value head h / (heads / kvHeads). A query that sees no key yields 0 and a log-sum-exp of −∞.
    /// </summary>
    AttentionResult Attention(Tensor q, Tensor k, Tensor v, AttentionMask mask, bool keepProbabilities);

    /// <summary>
    /// Causal attention of new tokens of several sequences, q [1, all their queries, heads, headDim] in the order of the sequences, each
    /// over the keys and
    /// values of its own tokens.
    /// </summary>
    Tensor AttentionOfSequences(Tensor q, IReadOnlyList<SequenceKeys> sequences);

    /// <summary>
    /// Σ over headDim of gradient · output, both [batch, queries, heads, headDim]: what softmax's backward subtracts, fp32 [batch, heads,
    /// queries].
    /// </summary>
    Tensor AttentionDelta(Tensor gradient, Tensor output);

    /// <summary>
    /// Gradients of attention. <paramref name="logSumExp"/> and <paramref name="delta"/> may come from a softmax over more keys than
    /// the ones given here (ring attention): the result is then the share of these keys.
    /// </summary>
    /// <param name="gradient">Gradient of the output, [batch, queries, heads, headDim].</param>
    /// <param name="q">Queries.</param>
    /// <param name="k">Keys.</param>
    /// <param name="v">Values.</param>
    /// <param name="logSumExp">fp32 [batch, heads, queries].</param>
    /// <param name="delta">See <see cref="AttentionDelta"/>.</param>
    /// <param name="mask">The mask of the forward.</param>
    /// <param name="probabilities">What the forward kept; empty: computed again.</param>
    /// <param name="type">Type of the gradients.</param>
    AttentionGradients AttentionBackward(
        Tensor gradient,
        Tensor q,
        Tensor k,
        Tensor v,
        Tensor logSumExp,
        Tensor delta,
        AttentionMask mask,
        IReadOnlyList<Tensor> probabilities,
        ScalarType type
    );

    /// <summary>
    /// What the cross-entropy needs of a rank's part of the logits: fp32 [tokens] maximum, Σ exp(logit − maximum) and logit of the target
    /// (0 where the target lies on another rank).
    /// </summary>
    /// <param name="logits">fp32 [tokens, entries].</param>
    /// <param name="targets">int64 [tokens]: entry of this part, or −1.</param>
    LossStatistics LossStatistics(Tensor logits, Tensor targets);

    /// <summary>
    /// Gradient of the summed cross-entropy by the logits: (exp(logit − logSumExp) − [target]) · scale; the logits' memory may be
    /// used for it.
    /// </summary>
    /// <param name="logits">fp32 [tokens, entries].</param>
    /// <param name="targets">int64 [tokens]: entry of this part, or −1.</param>
    /// <param name="logSumExp">fp32 [tokens], over the whole vocabulary.</param>
    /// <param name="scale">fp32 [tokens]: 0 where no loss is taken.</param>
    /// <param name="type">Type of the gradient.</param>
    Tensor LossGradient(Tensor logits, Tensor targets, Tensor logSumExp, Tensor scale, ScalarType type);

    /// <summary>
    /// <see cref="LossStatistics"/> and <see cref="LossGradient"/> in one go, where the logits are those of the whole vocabulary; their
    /// memory may be used for the gradient.
    /// </summary>
    /// <param name="logits">fp32 [tokens, entries].</param>
    /// <param name="targets">int64 [tokens]: entry, or −1.</param>
    /// <param name="scale">fp32 [tokens]: 0 where no loss is taken.</param>
    /// <param name="type">Type of the gradient.</param>
    CrossEntropy CrossEntropy(Tensor logits, Tensor targets, Tensor scale, ScalarType type);
}

/// <summary>A normalisation and what its backward needs.</summary>
/// <param name="Output">Like the input.</param>
/// <param name="Mean">fp32 [..., 1]; null for RMS normalisation.</param>
/// <param name="Scale">1/√(variance + ε) or 1/√(mean square + ε), fp32 [..., 1].</param>
public readonly record struct NormResult(Tensor Output, Tensor? Mean, Tensor Scale);

/// <summary>Gradients of a normalisation.</summary>
/// <param name="Input">Like the input.</param>
/// <param name="Weight">fp32 [hidden].</param>
/// <param name="Bias">fp32 [hidden]; null for RMS normalisation.</param>
public readonly record struct NormGradients(Tensor Input, Tensor Weight, Tensor? Bias);

/// <summary>Which keys a query sees.</summary>
/// <param name="Causal">Query i sees keys up to Offset + i; otherwise all.</param>
/// <param name="Offset">Index among the keys of the first query.</param>
/// <param name="QueryDocuments">Document of each query, int64 [batch, queries]; null: one document.</param>
/// <param name="KeyDocuments">Document of each key, int64 [batch, keys].</param>
public readonly record struct AttentionMask(bool Causal, long Offset = 0, Tensor? QueryDocuments = null, Tensor? KeyDocuments = null);

/// <summary>What the new tokens of a sequence attend to.</summary>
/// <param name="Queries">New tokens, the last of the sequence.</param>
/// <param name="Keys">Of all its tokens, dense [1, tokens, kvHeads, headDim].</param>
/// <param name="Values">Like the keys.</param>
public readonly record struct SequenceKeys(int Queries, Tensor Keys, Tensor Values);

/// <summary>Attention and what its backward needs.</summary>
/// <param name="Output">[batch, queries, heads, headDim].</param>
/// <param name="LogSumExp">fp32 [batch, heads, queries].</param>
/// <param name="Probabilities">Softmax by chunks of queries if it was to be kept and the kernel does so; else empty.</param>
public readonly record struct AttentionResult(Tensor Output, Tensor LogSumExp, IReadOnlyList<Tensor> Probabilities);

/// <summary>Gradients of attention, shaped like q, k and v.</summary>
public readonly record struct AttentionGradients(Tensor Query, Tensor Key, Tensor Value);

/// <summary>Cross-entropy of whole rows of logits.</summary>
/// <param name="LogSumExp">fp32 [tokens].</param>
/// <param name="Target">Logit of the target, 0 where there is none, fp32 [tokens].</param>
/// <param name="Gradient">By the logits, [tokens, entries].</param>
public readonly record struct CrossEntropy(Tensor LogSumExp, Tensor Target, Tensor Gradient);

/// <summary>Statistics of a part of the logits; see <see cref="IKernels.LossStatistics"/>.</summary>
public readonly record struct LossStatistics(Tensor Maximum, Tensor Sum, Tensor Target);
