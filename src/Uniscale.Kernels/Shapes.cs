namespace Uniscale.Kernels;

/// <summary>Sizes and mask of an attention: q [batch, queries, heads, headDim], k and v [batch, keys, kvHeads, headDim].</summary>
public readonly record struct AttentionShape(
    long Batch, long Queries, long Keys, long Heads, long KvHeads, long HeadDim, float Scale, KernelType Type)
{
    /// <summary>Query i sees keys j ≤ i + Diagonal.</summary>
    public long Diagonal { get; init; }

    /// <summary>int64 [batch, queries], or 0: one document.</summary>
    public nint QueryDocuments { get; init; }

    /// <summary>int64 [batch, keys].</summary>
    public nint KeyDocuments { get; init; }
}

/// <summary>Numbers of one AdamW step; Bias1 = 1 − β1^t, Bias2 = 1 − β2^t; gradients are multiplied with GradientScale first.</summary>
public readonly record struct AdamWStep(
    float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, float Bias1, float Bias2, float GradientScale);

/// <summary>A matrix in memory.</summary>
/// <param name="Address">First element.</param>
/// <param name="Type">Type of an element.</param>
/// <param name="Stride">Elements between rows as stored.</param>
/// <param name="Transposed">The product uses its transpose.</param>
public readonly record struct MatrixOperand(nint Address, KernelType Type, long Stride, bool Transposed = false);
