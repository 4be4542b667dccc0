using System.Runtime.InteropServices;

namespace Uniscale.Kernels.Cpu;

/// <summary>Type of the elements of a tensor, as the native kernels number them.</summary>
public enum KernelType
{
    /// <summary>Single precision.</summary>
    Float32 = 0,

    /// <summary>16 bits: 8 of exponent, 7 of fraction.</summary>
    BFloat16 = 1,
}

/// <summary>Instructions of the processor that kernels choose between; each level includes those below.</summary>
public enum InstructionSet
{
    /// <summary>x86-64 without AVX2.</summary>
    Baseline,

    /// <summary>256-bit vectors with fused multiply-add.</summary>
    Avx2,

    /// <summary>512-bit vectors.</summary>
    Avx512,

    /// <summary>512-bit vectors with dot products of bf16.</summary>
    Avx512Bf16,

    /// <summary>Tiles of bf16.</summary>
    Amx,
}

/// <summary>A native kernel refused its arguments or failed; the message is its own.</summary>
public sealed class KernelException : Exception
{
    /// <inheritdoc/>
    public KernelException(string message)
        : base(message) { }

    /// <inheritdoc/>
    public KernelException(string message, Exception inner)
        : base(message, inner) { }

    /// <inheritdoc/>
    public KernelException() { }
}

/// <summary>
/// The CPU kernels on raw host memory (src/Uniscale.Native/kernels/kernels.h says what each computes). Threads are those that the
/// calling thread has set for OpenMP; results are bit-identical for the same number of threads.
/// </summary>
public static partial class CpuKernels
{
    private const string Library = "uniscale_kernels";

    /// <summary>What the kernels use: what this processor has, or less where the environment variable UNISCALE_ISA says so.</summary>
    public static InstructionSet InstructionSet { get; } = (InstructionSet)uniscale_isa();

    /// <summary>What this processor has.</summary>
    public static InstructionSet Processor { get; } = (InstructionSet)uniscale_processor();

    /// <summary>True where the kernels run: an x86-64 processor with AVX2 and FMA.</summary>
    public static bool IsSupported => InstructionSet >= InstructionSet.Avx2;

    /// <summary>y = norm(x)·weight + bias over rows of <paramref name="dim"/> elements; mean 0 for RMS normalisation.</summary>
    public static void NormForward(
        nint x,
        nint weight,
        nint bias,
        nint y,
        nint mean,
        nint rstd,
        long rows,
        long dim,
        float epsilon,
        KernelType type
    ) => Check(uniscale_norm_forward(x, weight, bias, y, mean, rstd, rows, dim, epsilon, type));

    /// <summary>
    /// dx, to which what is <paramref name="carried"/> past the norm is added (0: nothing), and the fp32 gradients of weight and bias (0:
    /// none).
    /// </summary>
    public static void NormBackward(
        nint dy,
        nint x,
        nint weight,
        nint mean,
        nint rstd,
        nint carried,
        nint dx,
        nint dweight,
        nint dbias,
        long rows,
        long dim,
        KernelType type
    ) => Check(uniscale_norm_backward(dy, x, weight, mean, rstd, carried, dx, dweight, dbias, rows, dim, type));

    /// <summary>
    /// Rotates pairs (i, i + dim/2) of every head; row r reads entry r mod <paramref name="tableRows"/> of the fp32 tables.
    /// </summary>
    public static void Rope(
        nint x,
        nint y,
        nint cosines,
        nint sines,
        long tableRows,
        long rows,
        long heads,
        long dim,
        bool inverse,
        KernelType type
    ) => Check(uniscale_rope(x, y, cosines, sines, tableRows, rows, heads, dim, inverse ? 1 : 0, type));

    /// <summary>y = silu(gate)·up.</summary>
    public static void SwigluForward(nint gate, nint up, nint y, long count, KernelType type) =>
        Check(uniscale_swiglu_forward(gate, up, y, count, type));

    /// <summary>Gradients of <see cref="SwigluForward"/>.</summary>
    public static void SwigluBackward(nint dy, nint gate, nint up, nint dgate, nint dup, long count, KernelType type) =>
        Check(uniscale_swiglu_backward(dy, gate, up, dgate, dup, count, type));

    /// <summary>GELU by its tanh approximation.</summary>
    public static void GeluForward(nint x, nint y, long count, KernelType type) => Check(uniscale_gelu_forward(x, y, count, type));

    /// <summary>Gradient of <see cref="GeluForward"/>.</summary>
    public static void GeluBackward(nint dy, nint x, nint dx, long count, KernelType type) =>
        Check(uniscale_gelu_backward(dy, x, dx, count, type));

    /// <summary>Maximum, Σ exp(logit − maximum) and target logit of each row of fp32 logits.</summary>
    public static void LossStatistics(nint logits, nint targets, nint maximum, nint sum, nint target, long rows, long entries) =>
        Check(uniscale_loss_statistics(logits, targets, maximum, sum, target, rows, entries));

    /// <summary>(exp(logit − logSumExp) − [target])·scale by row; may overwrite the logits where fp32.</summary>
    public static void LossGradient(
        nint logits,
        nint targets,
        nint logSumExp,
        nint scale,
        nint gradient,
        long rows,
        long entries,
        KernelType type
    ) => Check(uniscale_loss_gradient(logits, targets, logSumExp, scale, gradient, rows, entries, type));

    /// <summary>Log-sum-exp and target logit of each whole row of fp32 logits, and what <see cref="LossGradient"/> makes of them.</summary>
    public static void CrossEntropy(
        nint logits,
        nint targets,
        nint scale,
        nint logSumExp,
        nint target,
        nint gradient,
        long rows,
        long entries,
        KernelType type
    ) => Check(uniscale_cross_entropy(logits, targets, scale, logSumExp, target, gradient, rows, entries, type));

    /// <summary>Rows of the table; tokens outside [first, first + entries) give zeros.</summary>
    public static void EmbeddingForward(nint tokens, nint table, nint y, long rows, long dim, long first, long entries, KernelType type) =>
        Check(uniscale_embedding_forward(tokens, table, y, rows, dim, first, entries, type));

    /// <summary>Adds rows of dy to the fp32 gradient of the table.</summary>
    public static void EmbeddingBackward(
        nint tokens,
        nint dy,
        nint dtable,
        long rows,
        long dim,
        long first,
        long entries,
        KernelType type
    ) => Check(uniscale_embedding_backward(tokens, dy, dtable, rows, dim, first, entries, type));

    /// <summary>Exact attention in tiles with an online softmax; memory linear in the length of the sequence.</summary>
    public static void AttentionForward(nint q, nint k, nint v, nint output, nint logSumExp, in AttentionShape shape) =>
        Check(
            uniscale_attention_forward(
                q,
                k,
                v,
                output,
                logSumExp,
                shape.QueryDocuments,
                shape.KeyDocuments,
                shape.Batch,
                shape.Queries,
                shape.Keys,
                shape.Heads,
                shape.KvHeads,
                shape.HeadDim,
                shape.Scale,
                shape.Diagonal,
                shape.Type
            )
        );

    /// <summary>
    /// Causal attention of several sequences, each over keys and values of its own. The bits of a query's row depend on its sequence's
    /// tokens up to it
    /// alone, not on what else is in the call.
    /// </summary>
    public static void AttentionOfSequences(
        ReadOnlySpan<AttentionSequence> sequences,
        long heads,
        long kvHeads,
        long dim,
        float scale,
        KernelType type
    ) => Check(uniscale_attention_sequences(sequences, sequences.Length, heads, kvHeads, dim, scale, type));

    /// <summary>Sums over the head dim of gradient · output, both [batch, queries, heads, dim]: fp32 [batch, heads, queries].</summary>
    public static void AttentionDelta(
        nint gradient,
        nint output,
        nint delta,
        long batch,
        long queries,
        long heads,
        long dim,
        KernelType type
    ) => Check(uniscale_attention_delta(gradient, output, delta, batch, queries, heads, dim, type));

    /// <summary>Gradients of attention, overwritten; delta is the fp32 sum over the head dim of gradient · output.</summary>
    public static void AttentionBackward(
        nint gradient,
        nint q,
        nint k,
        nint v,
        nint logSumExp,
        nint delta,
        nint dq,
        nint dk,
        nint dv,
        in AttentionShape shape,
        KernelType gradientType
    ) =>
        Check(
            uniscale_attention_backward(
                gradient,
                q,
                k,
                v,
                logSumExp,
                delta,
                shape.QueryDocuments,
                shape.KeyDocuments,
                dq,
                dk,
                dv,
                shape.Batch,
                shape.Queries,
                shape.Keys,
                shape.Heads,
                shape.KvHeads,
                shape.HeadDim,
                shape.Scale,
                shape.Diagonal,
                shape.Type,
                gradientType
            )
        );

    /// <summary>One pass of AdamW over a flat range; <paramref name="copy"/> receives the parameters in bf16 (0: none).</summary>
    public static void AdamW(nint parameters, nint copy, nint gradients, nint m, nint v, long count, in AdamWConstants step) =>
        Check(
            uniscale_adamw(
                parameters,
                copy,
                gradients,
                m,
                v,
                count,
                step.LearningRate,
                step.Beta1,
                step.Beta2,
                step.Epsilon,
                step.WeightDecay,
                step.Bias1,
                step.Bias2,
                step.GradientScale
            )
        );

    /// <summary>Σ x² in fp64, in an order that does not depend on the number of threads.</summary>
    public static double SumOfSquares(nint x, long count)
    {
        Check(uniscale_sum_of_squares(x, count, out double result));
        return result;
    }

    /// <summary>Sums (fp32) of the columns of x [rows, columns], added to the target or written to it.</summary>
    public static void ColumnSums(nint x, nint sums, long rows, long columns, bool add, KernelType type) =>
        Check(uniscale_column_sums(x, sums, rows, columns, add ? 1 : 0, type));

    /// <summary>target (fp32) += source.</summary>
    public static void Accumulate(nint target, nint source, long count, KernelType type) =>
        Check(uniscale_accumulate(target, source, count, type));

    internal static void Check(int status)
    {
        if (status != 0)
            throw new KernelException(Marshal.PtrToStringUTF8(uniscale_kernels_error()) ?? "a native kernel failed");
    }
}
