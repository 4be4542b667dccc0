using System.Runtime.InteropServices;

namespace Uniscale.Kernels.Cpu;

// The bindings, one for each function of kernels.h; and the GEMM, whose handles stay inside this library.
public static partial class CpuKernels
{
    internal static void Matmul(
        long m,
        long n,
        long k,
        MatrixOperand a,
        MatrixOperand b,
        MatrixOperand c,
        in ProductEpilogue epilogue,
        nint weights
    ) =>
        Check(
            uniscale_matmul(
                m,
                n,
                k,
                a.Address,
                a.Type,
                a.Stride,
                a.Transposed ? 1 : 0,
                b.Address,
                b.Type,
                b.Stride,
                b.Transposed ? 1 : 0,
                c.Address,
                c.Type,
                c.Stride,
                epilogue,
                weights
            )
        );

    internal static nint CreateWeights() => uniscale_weights_create();

    internal static void InvalidateWeights(nint weights) => uniscale_weights_invalidate(weights);

    internal static long WeightsBytes(nint weights) => uniscale_weights_bytes(weights);

    internal static void DestroyWeights(nint weights) => uniscale_weights_destroy(weights);

#pragma warning disable IDE1006 // the names are those of the C interface
    [LibraryImport(Library)]
    private static partial int uniscale_isa();

    [LibraryImport(Library)]
    private static partial int uniscale_processor();

    [LibraryImport(Library)]
    private static partial nint uniscale_kernels_error();

    [LibraryImport(Library)]
    private static partial int uniscale_matmul(
        long m,
        long n,
        long k,
        nint a,
        KernelType aType,
        long lda,
        int transposeA,
        nint b,
        KernelType bType,
        long ldb,
        int transposeB,
        nint c,
        KernelType cType,
        long ldc,
        in ProductEpilogue epilogue,
        nint weights
    );

    [LibraryImport(Library)]
    private static partial nint uniscale_weights_create();

    [LibraryImport(Library)]
    private static partial void uniscale_weights_invalidate(nint weights);

    [LibraryImport(Library)]
    private static partial long uniscale_weights_bytes(nint weights);

    [LibraryImport(Library)]
    private static partial void uniscale_weights_destroy(nint weights);

    [LibraryImport(Library)]
    private static partial int uniscale_norm_forward(
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
    );

    [LibraryImport(Library)]
    private static partial int uniscale_norm_backward(
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
    );

    [LibraryImport(Library)]
    private static partial int uniscale_rope(
        nint x,
        nint y,
        nint cosines,
        nint sines,
        long tableRows,
        long rows,
        long heads,
        long dim,
        int inverse,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_swiglu_forward(nint gate, nint up, nint y, long count, KernelType type);

    [LibraryImport(Library)]
    private static partial int uniscale_swiglu_backward(nint dy, nint gate, nint up, nint dgate, nint dup, long count, KernelType type);

    [LibraryImport(Library)]
    private static partial int uniscale_gelu_forward(nint x, nint y, long count, KernelType type);

    [LibraryImport(Library)]
    private static partial int uniscale_gelu_backward(nint dy, nint x, nint dx, long count, KernelType type);

    [LibraryImport(Library)]
    private static partial int uniscale_loss_statistics(
        nint logits,
        nint targets,
        nint maximum,
        nint sum,
        nint target,
        long rows,
        long entries
    );

    [LibraryImport(Library)]
    private static partial int uniscale_loss_gradient(
        nint logits,
        nint targets,
        nint logSumExp,
        nint scale,
        nint gradient,
        long rows,
        long entries,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_cross_entropy(
        nint logits,
        nint targets,
        nint scale,
        nint logSumExp,
        nint target,
        nint gradient,
        long rows,
        long entries,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_embedding_forward(
        nint tokens,
        nint table,
        nint y,
        long rows,
        long dim,
        long first,
        long entries,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_embedding_backward(
        nint tokens,
        nint dy,
        nint dtable,
        long rows,
        long dim,
        long first,
        long entries,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_attention_forward(
        nint q,
        nint k,
        nint v,
        nint output,
        nint lse,
        nint qDocuments,
        nint kDocuments,
        long batch,
        long queries,
        long keys,
        long heads,
        long kvHeads,
        long dim,
        float scale,
        long diagonal,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_attention_sequences(
        ReadOnlySpan<AttentionSequence> sequences,
        long count,
        long heads,
        long kvHeads,
        long dim,
        float scale,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_attention_delta(
        nint dout,
        nint output,
        nint delta,
        long batch,
        long queries,
        long heads,
        long dim,
        KernelType type
    );

    [LibraryImport(Library)]
    private static partial int uniscale_attention_backward(
        nint dout,
        nint q,
        nint k,
        nint v,
        nint lse,
        nint delta,
        nint qDocuments,
        nint kDocuments,
        nint dq,
        nint dk,
        nint dv,
        long batch,
        long queries,
        long keys,
        long heads,
        long kvHeads,
        long dim,
        float scale,
        long diagonal,
        KernelType type,
        KernelType gradientType
    );

    [LibraryImport(Library)]
    private static partial int uniscale_adamw(
        nint parameters,
        nint copy,
        nint gradients,
        nint m,
        nint v,
        long count,
        float learningRate,
        float beta1,
        float beta2,
        float epsilon,
        float weightDecay,
        float bias1,
        float bias2,
        float gradientScale
    );

    [LibraryImport(Library)]
    private static partial int uniscale_sum_of_squares(nint x, long count, out double result);

    [LibraryImport(Library)]
    private static partial int uniscale_column_sums(nint x, nint sums, long rows, long columns, int add, KernelType type);

    [LibraryImport(Library)]
    private static partial int uniscale_accumulate(nint target, nint source, long count, KernelType type);
#pragma warning restore IDE1006
}
