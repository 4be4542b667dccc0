namespace Uniscale.Kernels.Cpu;

/// <summary>
/// Prepacked copies of a weight matrix in the layouts that GEMMs ask for. Valid until the weights change: call
/// <see cref="Invalidate"/> then, and the next GEMM packs again.
/// </summary>
public sealed class PackedWeights : IDisposable
{
    private nint _handle = CpuKernels.CreateWeights();

    /// <summary>Native handle.</summary>
    internal nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(PackedWeights));

    /// <summary>Bytes of all packed copies.</summary>
    public long SizeBytes => CpuKernels.WeightsBytes(Handle);

    /// <summary>The weights have new values.</summary>
    public void Invalidate() => CpuKernels.InvalidateWeights(Handle);

    /// <inheritdoc/>
    public void Dispose()
    {
        nint owned = Interlocked.Exchange(ref _handle, 0);
        if (owned != 0)
            CpuKernels.DestroyWeights(owned);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives the memory back where nobody has disposed of it.</summary>
    ~PackedWeights() => Dispose();
}

/// <summary>
/// GEMM with fp32 accumulation: on AMX tiles, in pairs of bf16, by oneDNN, or by FMA, whichever this processor has for the type.
/// </summary>
public static class MatrixProduct
{
    /// <summary>c[m, n] = op(a)[m, k] · op(b)[k, n], through an epilogue.</summary>
    /// <param name="m">Rows of the result.</param>
    /// <param name="n">Columns of the result.</param>
    /// <param name="k">Inner dim.</param>
    /// <param name="a">Left operand.</param>
    /// <param name="b">Right operand.</param>
    /// <param name="c">Result; not transposed.</param>
    /// <param name="epilogue">What is done with the result on its way to c.</param>
    /// <param name="weights">Packed copies of b to use and keep, or null.</param>
    /// <exception cref="KernelException">The epilogue does not fit the GEMM.</exception>
    public static void Multiply(
        long m,
        long n,
        long k,
        MatrixOperand a,
        MatrixOperand b,
        MatrixOperand c,
        in ProductEpilogue epilogue = default,
        PackedWeights? weights = null
    )
    {
        CpuKernels.Matmul(m, n, k, a, b, c, epilogue, weights?.Handle ?? 0);
        // Its finalizer frees what the GEMM reads.
        GC.KeepAlive(weights);
    }
}
