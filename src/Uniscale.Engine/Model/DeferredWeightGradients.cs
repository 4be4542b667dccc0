using static TorchSharp.torch;

namespace Uniscale.Engine.Model;

/// <summary>
/// Weight-gradient GEMMs that a backward pass left for later (zero-bubble schedules; Qi et al., 2023). While a queue is set in
/// <see cref="IParallelOps.Deferred"/>, linear layers whose weight is registered in the <see cref="GradientSink"/> put their GEMM here
/// instead of computing it; <see cref="Run"/> computes them and frees what they held.
/// </summary>
public sealed class DeferredWeightGradients : IDisposable
{
    private readonly Queue<(Action Product, Tensor[] Operands)> _products = new();

    /// <summary>Products that wait.</summary>
    public int Count => _products.Count;

    /// <summary>Queues a GEMM; the queue keeps its own references of the operands.</summary>
    /// <param name="product">Computes and adds the gradient, given the operands that the queue keeps.</param>
    /// <param name="operands">Tensors that must live until then.</param>
    internal void Add(Action<Tensor[]> product, params Tensor[] operands)
    {
        var kept = Array.ConvertAll(operands, t => t.alias().DetachFromDisposeScope());
        _products.Enqueue((() => product(kept), kept));
    }

    /// <summary>Computes every waiting GEMM in the order of its arrival.</summary>
    public void Run()
    {
        while (_products.TryDequeue(out var entry))
        {
            using (NewDisposeScope())
                entry.Product();
            Free(entry.Operands);
        }
    }

    /// <summary>Drops what waits.</summary>
    public void Dispose()
    {
        while (_products.TryDequeue(out var entry))
            Free(entry.Operands);
    }

    private static void Free(Tensor[] operands)
    {
        foreach (var operand in operands)
            operand.Dispose();
    }
}
