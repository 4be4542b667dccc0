using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// Products of one residual with matrices split by output features. The sequence is gathered once for all of them, and again in backward
/// (only the part is kept); the gradient of the residual is reduced while the weight gradients are computed.
/// </summary>
internal sealed class ColumnLinearOperation : Operation
{
    private readonly ParallelOps ops;
    private readonly ColumnWeights[] matrices;
    private KeptInput input;
    private readonly Func<Tensor>?[] weightSinks;
    private readonly Func<Tensor>?[] biasSinks;

    public ColumnLinearOperation(ParallelOps ops, ReadOnlySpan<ColumnWeights> matrices)
    {
        this.ops = ops;
        this.matrices = matrices.ToArray();
        weightSinks = Array.ConvertAll(this.matrices, m => ops.Sink?.Find(m.Weight));
        biasSinks = Array.ConvertAll(this.matrices, m => m.Bias is { } bias ? ops.Sink?.Find(bias) : null);
    }

    public IReadOnlyList<Tensor> Apply(Tensor x)
    {
        input = ops.Keep(x);
        return Record([x, .. matrices.Select(m => m.Weight), .. matrices.Where(m => m.Bias is not null).Select(m => m.Bias!)]);
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var whole = ops.GatherResidual(inputs[0]).Wait();
        saved.AddRange(inputs.Skip(1).Take(matrices.Length));
        input.Save(inputs[0], saved);
        return Array.ConvertAll(matrices, m => ops.Kernels.Linear(whole, m.Weight, m.Bias));
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var gathering = ops.GatherResidual(input.Restore(saved, matrices.Length));
        var partial = ops.Kernels.LinearInputGradient(gradients[0], saved[0]);
        for (int i = 1; i < matrices.Length; i++)
            partial.add_(ops.Kernels.LinearInputGradient(gradients[i], saved[i]));
        var reducing = ops.ReduceResidual(partial);
        var summing = matrices.Select(m => m.KeyValue).Zip(gradients, SumOverReplicas).ToArray();

        var whole = gathering.Wait();
        var weights = new Tensor?[matrices.Length];
        var biases = new List<Tensor?>();
        for (int i = 0; i < matrices.Length; i++)
        {
            var gradient = summing[i].Wait();
            weights[i] = ops.DeliverProduct(weightSinks[i], gradient, whole);
            if (matrices[i].Bias is not null)
                biases.Add(ops.DeliverBias(biasSinks[i], gradient));
        }
        return [reducing.Wait(), .. weights, .. biases];
    }

    /// <summary>Ranks that hold the same key-value head see different query heads: the head's gradient is the sum of theirs.</summary>
    private Pending SumOverReplicas(bool keyValue, Tensor gradient) =>
        keyValue && ops.KvReplicas.Active ? ops.KvReplicas.AllReduce(gradient.clone().contiguous()) : Pending.Done(gradient);
}

/// <summary>Product with a matrix split by input features, summed over the tensor axis into the residual.</summary>
internal sealed class RowLinearOperation(ParallelOps ops) : Operation
{
    private Func<Tensor>? weightSink;
    private Func<Tensor>? biasSink;
    private KeptInput input;
    private bool hasBias;

    public Tensor Apply(Tensor x, Tensor weight, Tensor? bias)
    {
        input = ops.Keep(x);
        weightSink = ops.Sink?.Find(weight);
        hasBias = bias is not null;
        if (bias is null)
            return Record(x, weight)[0];
        biasSink = ops.Sink?.Find(bias);
        return Record(x, weight, bias)[0];
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        saved.Add(inputs[1]);
        input.Save(inputs[0], saved);
        var bias = hasBias ? inputs[2] : null;
        if (!ops.TensorAxis.Active)
            return [ops.Kernels.Linear(inputs[0], inputs[1], bias)];

        // The bias is whole on every rank and must count once, so it is added to the sum.
        var sum = ops.ReduceResidual(ops.Kernels.Linear(inputs[0], inputs[1], null)).Wait();
        return [bias is null ? sum : sum.add_(bias)];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var gradient = ops.GatherResidual(gradients[0]).Wait();
        var dx = ops.Kernels.LinearInputGradient(gradient, saved[0]);
        var dw = ops.DeliverProduct(weightSink, gradient, input.Restore(saved, 1));
        return hasBias ? [dx, dw, ops.DeliverBias(biasSink, gradient)] : [dx, dw];
    }
}
