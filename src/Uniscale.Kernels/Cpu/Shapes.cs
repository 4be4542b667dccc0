using System.Runtime.InteropServices;

namespace Uniscale.Kernels.Cpu;

/// <summary>Sizes and mask of an attention: q [batch, queries, heads, headDim], k and v [batch, keys, kvHeads, headDim].</summary>
public readonly record struct AttentionShape(
    long Batch,
    long Queries,
    long Keys,
    long Heads,
    long KvHeads,
    long HeadDim,
    float Scale,
    KernelType Type
)
{
    /// <summary>Query i sees keys j ≤ i + Diagonal.</summary>
    public long Diagonal { get; init; }

    /// <summary>int64 [batch, queries], or 0: one document.</summary>
    public nint QueryDocuments { get; init; }

    /// <summary>int64 [batch, keys].</summary>
    public nint KeyDocuments { get; init; }
}

/// <summary>Numbers of one AdamW step; Bias1 = 1 − β1^t, Bias2 = 1 − β2^t; gradients are multiplied with GradientScale first.</summary>
public readonly record struct AdamWConstants(
    float LearningRate,
    float Beta1,
    float Beta2,
    float Epsilon,
    float WeightDecay,
    float Bias1,
    float Bias2,
    float GradientScale
);

/// <summary>A matrix in memory.</summary>
/// <param name="Address">First element.</param>
/// <param name="Type">Type of an element.</param>
/// <param name="Stride">Elements between rows as stored.</param>
/// <param name="Transposed">The GEMM uses its transpose.</param>
public readonly record struct MatrixOperand(nint Address, KernelType Type, long Stride, bool Transposed = false);

/// <summary>The activation of a fused epilogue.</summary>
public enum ProductActivation
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The result is gelu(product + bias).</summary>
    Gelu = 1,

    /// <summary>The result is product · gelu'(pre).</summary>
    GeluSlope = 2,
}

/// <summary>The fused epilogue of a GEMM, and what is summed beside it. Addresses are 0 where nothing is wanted.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct ProductEpilogue
{
    /// <summary>[n] of b's type, added to every row.</summary>
    public nint Bias { get; init; }

    /// <summary>
    /// Of the result's type and stride: what GELU is taken of, written with <see cref="ProductActivation.Gelu"/> and read with the slope.
    /// </summary>
    public nint Pre { get; init; }

    /// <summary>Of the result's type and stride: added to the product. The result itself: the product is added to it.</summary>
    public nint Addend { get; init; }

    /// <summary>fp32 [m]: sums over k of op(a), which must be dense and transposed.</summary>
    public nint RowSums { get; init; }

    /// <summary>The activation; the result is dense then and has no addend.</summary>
    public ProductActivation Activation { get; init; }

    /// <summary>1: <see cref="RowSums"/> are added to; 0: overwritten.</summary>
    public int AddRowSums { get; init; }

    /// <summary>1: the bits of a row of the result do not depend on how many rows there are, which no oneDNN GEMM promises.</summary>
    public int BatchInvariant { get; init; }
}

/// <summary>One of the sequences of <see cref="CpuKernels.AttentionOfSequences"/>; addresses of dense tensors.</summary>
/// <param name="Query">[queries, heads, headDim], of the last tokens of the sequence.</param>
/// <param name="Key">[keys, kvHeads, headDim].</param>
/// <param name="Value">Like the keys.</param>
/// <param name="Output">Like the queries.</param>
/// <param name="Queries">Tokens whose attention is computed.</param>
/// <param name="Keys">Tokens of the sequence.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct AttentionSequence(nint Query, nint Key, nint Value, nint Output, long Queries, long Keys);
