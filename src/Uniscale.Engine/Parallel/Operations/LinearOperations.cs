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
    private readonly Matrix[] matrices;
    private readonly int biasCount;
    private KeptInput input;

    public ColumnLinearOperation(ParallelOps ops, ReadOnlySpan<ColumnWeights> weights)
    {
        this.ops = ops;
        matrices = new Matrix[weights.Length];
        for (int i = 0; i < weights.Length; i++)
        {
            var bias = weights[i].Bias;
            matrices[i] = new Matrix(weights[i], ops.Sink?.Find(weights[i].Weight), bias is null ? null : ops.Sink?.Find(bias));
            biasCount += bias is null ? 0 : 1;
        }
    }

    public IReadOnlyList<Tensor> Apply(Tensor x)
    {
        input = ops.Keep(x);
        var inputs = new Tensor[1 + matrices.Length + biasCount];
        inputs[0] = x;
        int nextBias = 1 + matrices.Length;
        for (int i = 0; i < matrices.Length; i++)
        {
            inputs[1 + i] = matrices[i].Weight;
            if (matrices[i].Bias is { } bias) inputs[nextBias++] = bias;
        }
        return Record(inputs);
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var whole = ops.GatherResidual(inputs[0]).Wait();
        input.Save(inputs[0], saved);
        var outputs = new Tensor[matrices.Length];
        for (int i = 0; i < outputs.Length; i++) outputs[i] = ops.Kernels.Linear(whole, matrices[i].Weight, matrices[i].Bias);
        return outputs;
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var gathering = ops.GatherResidual(input.Restore(saved));
        var partial = ops.Kernels.LinearInputGradient(gradients[0], matrices[0].Weight);
        for (int i = 1; i < matrices.Length; i++)
            ops.Kernels.LinearInputGradient(gradients[i], matrices[i].Weight, partial, add: true);
        var reducing = ops.ReduceResidual(partial);
        var summing = new Pending[matrices.Length];
        for (int i = 0; i < summing.Length; i++) summing[i] = SumOverReplicas(matrices[i].KeyValue, gradients[i]);

        var whole = gathering.Wait();
        var results = new Tensor?[1 + matrices.Length + biasCount];
        int nextBias = 1 + matrices.Length;
        for (int i = 0; i < matrices.Length; i++)
        {
            var gradient = summing[i].Wait();
            results[1 + i] = ops.DeliverProduct(matrices[i].WeightSink, gradient, whole);
            if (matrices[i].Bias is not null) results[nextBias++] = ops.DeliverBias(matrices[i].BiasSink, gradient);
        }
        results[0] = reducing.Wait();
        return results;
    }

    /// <summary>Ranks that hold the same key-value head see different query heads: the head's gradient is the sum of theirs.</summary>
    private Pending SumOverReplicas(bool keyValue, Tensor gradient) =>
        keyValue && ops.KvReplicas.Active ? ops.KvReplicas.AllReduce(gradient.clone().contiguous()) : Pending.Done(gradient);

    /// <summary>A matrix, and where the gradients of its parameters are summed; null where autograd gives them back.</summary>
    private readonly record struct Matrix(ColumnWeights Weights, Func<GradientSum>? WeightSink, Func<GradientSum>? BiasSink)
    {
        public Tensor Weight => Weights.Weight;

        public Tensor? Bias => Weights.Bias;

        public bool KeyValue => Weights.KeyValue;
    }
}

/// <summary>Product with a matrix split by input features, summed over the tensor axis into the residual.</summary>
internal sealed class RowLinearOperation(ParallelOps ops) : Operation
{
    private Func<GradientSum>? weightSink;
    private Func<GradientSum>? biasSink;
    private KeptInput input;
    private Tensor? weight;
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
        weight = inputs[1];
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
        var dx = ops.Kernels.LinearInputGradient(gradient, weight!);
        var dw = ops.DeliverProduct(weightSink, gradient, input.Restore(saved));
        return hasBias ? [dx, dw, ops.DeliverBias(biasSink, gradient)] : [dx, dw];
    }
}
