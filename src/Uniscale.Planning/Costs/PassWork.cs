namespace Uniscale.Planning.Costs;

/// <summary>What one pass over a block asks of one rank: the terms that a time is made of. Sums are exact, so works add.</summary>
/// <param name="ProductFlops">Operations of matrix products; a multiplication and an addition are two.</param>
/// <param name="AttentionFlops">Operations of attention between queries and keys.</param>
/// <param name="ProductBytes">Operands and results of the products, each moved once.</param>
/// <param name="StreamBytes">Bytes that element-wise kernels, norms and softmax read and write.</param>
/// <param name="TensorBytes">Bytes of whole tensors gathered or scattered over the tensor axis; an all-reduce counts twice.</param>
/// <param name="TensorCalls">Collectives over the tensor axis.</param>
/// <param name="ContextBytes">Bytes of whole tensors gathered or scattered over the context axis.</param>
/// <param name="ContextCalls">Collectives over the context axis.</param>
public readonly record struct PassWork(
    double ProductFlops = 0,
    double AttentionFlops = 0,
    double ProductBytes = 0,
    double StreamBytes = 0,
    double TensorBytes = 0,
    double TensorCalls = 0,
    double ContextBytes = 0,
    double ContextCalls = 0
)
{
    /// <summary>Both works.</summary>
    public static PassWork operator +(PassWork a, PassWork b) =>
        new(
            a.ProductFlops + b.ProductFlops,
            a.AttentionFlops + b.AttentionFlops,
            a.ProductBytes + b.ProductBytes,
            a.StreamBytes + b.StreamBytes,
            a.TensorBytes + b.TensorBytes,
            a.TensorCalls + b.TensorCalls,
            a.ContextBytes + b.ContextBytes,
            a.ContextCalls + b.ContextCalls
        );

    /// <summary>The work several times.</summary>
    public static PassWork operator *(double times, PassWork a) =>
        new(
            times * a.ProductFlops,
            times * a.AttentionFlops,
            times * a.ProductBytes,
            times * a.StreamBytes,
            times * a.TensorBytes,
            times * a.TensorCalls,
            times * a.ContextBytes,
            times * a.ContextCalls
        );
}
