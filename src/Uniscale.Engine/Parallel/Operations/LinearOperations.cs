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
            matrices[i] = new Matrix(weights[i], LinearSinks.Of(ops, weights[i].Weight, bias));
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
            (results[1 + i], var bias) = matrices[i].Sinks.Deliver(ops, gradient, whole);
            if (matrices[i].Bias is not null) results[nextBias++] = bias;
        }
        results[0] = reducing.Wait();
        return results;
    }

    /// <summary>Ranks that hold the same key-value head see different query heads: the head's gradient is the sum of theirs.</summary>
    private Pending SumOverReplicas(bool keyValue, Tensor gradient) =>
        keyValue && ops.KvReplicas.Active ? ops.KvReplicas.AllReduce(gradient.clone().contiguous()) : Pending.Done(gradient);

    /// <summary>A matrix, and where the gradients of its parameters are summed.</summary>
    private readonly record struct Matrix(ColumnWeights Weights, LinearSinks Sinks)
    {
        public Tensor Weight => Weights.Weight;

        public Tensor? Bias => Weights.Bias;

        public bool KeyValue => Weights.KeyValue;
    }
}

/// <summary>Product with a matrix split by input features, summed over the tensor axis into the residual and added to it.</summary>
internal sealed class RowLinearOperation(ParallelOps ops) : Operation
{
    private LinearSinks sinks;
    private KeptInput input;
    private Tensor? weight;
    private bool hasBias;

    public Tensor Apply(Tensor x, Tensor weight, Tensor? bias, Tensor residual)
    {
        input = ops.Keep(x);
        sinks = LinearSinks.Of(ops, weight, bias);
        hasBias = bias is not null;
        return bias is null ? Record(x, residual, weight)[0] : Record(x, residual, weight, bias)[0];
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        weight = inputs[2];
        input.Save(inputs[0], saved);
        return [ops.AddToResidual(inputs[0], weight, hasBias ? inputs[3] : null, inputs[1])];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var gradient = ops.GatherResidual(gradients[0]).Wait();
        var dx = ops.Kernels.LinearInputGradient(gradient, weight!);
        var (dw, db) = sinks.Deliver(ops, gradient, input.Restore(saved));
        var residual = gradients[0].detach();
        return hasBias ? [dx, residual, dw, db] : [dx, residual, dw];
    }
}
