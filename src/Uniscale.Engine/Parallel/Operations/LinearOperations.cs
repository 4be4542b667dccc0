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
    private readonly ParallelOps _ops;
    private readonly Matrix[] _matrices;
    private readonly int _biasCount;
    private KeptInput _input;

    public ColumnLinearOperation(ParallelOps ops, ReadOnlySpan<ColumnWeights> weights)
    {
        this._ops = ops;
        _matrices = new Matrix[weights.Length];
        for (int i = 0; i < weights.Length; i++)
        {
            var bias = weights[i].Bias;
            _matrices[i] = new Matrix(weights[i], LinearSinks.Of(ops, weights[i].Weight, bias));
            _biasCount += bias is null ? 0 : 1;
        }
    }

    public IReadOnlyList<Tensor> Apply(Tensor x)
    {
        _input = _ops.Keep(x);
        var inputs = new Tensor[1 + _matrices.Length + _biasCount];
        inputs[0] = x;
        int nextBias = 1 + _matrices.Length;
        for (int i = 0; i < _matrices.Length; i++)
        {
            inputs[1 + i] = _matrices[i].Weight;
            if (_matrices[i].Bias is { } bias)
                inputs[nextBias++] = bias;
        }
        return Record(inputs);
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var whole = _ops.GatherResidual(inputs[0]).Wait();
        _input.Save(inputs[0], saved);
        var outputs = new Tensor[_matrices.Length];
        for (int i = 0; i < outputs.Length; i++)
            outputs[i] = _ops.Kernels.Linear(whole, _matrices[i].Weight, _matrices[i].Bias);
        return outputs;
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var gathering = _ops.GatherResidual(_input.Restore(saved));
        var partial = _ops.Kernels.LinearInputGradient(gradients[0], _matrices[0].Weight);
        for (int i = 1; i < _matrices.Length; i++)
            _ops.Kernels.LinearInputGradient(gradients[i], _matrices[i].Weight, partial, add: true);
        var reducing = _ops.ReduceResidual(partial);
        var summing = new Pending[_matrices.Length];
        for (int i = 0; i < summing.Length; i++)
            summing[i] = SumOverReplicas(_matrices[i].KeyValue, gradients[i]);

        var whole = gathering.Wait();
        var results = new Tensor?[1 + _matrices.Length + _biasCount];
        int nextBias = 1 + _matrices.Length;
        for (int i = 0; i < _matrices.Length; i++)
        {
            var gradient = summing[i].Wait();
            (results[1 + i], var bias) = _matrices[i].Sinks.Deliver(_ops, gradient, whole);
            if (_matrices[i].Bias is not null)
                results[nextBias++] = bias;
        }
        results[0] = reducing.Wait();
        return results;
    }

    /// <summary>Ranks that hold the same key-value head see different query heads: the head's gradient is the sum of theirs.</summary>
    private Pending SumOverReplicas(bool keyValue, Tensor gradient) =>
        keyValue && _ops.KvReplicas.Active ? _ops.KvReplicas.AllReduce(gradient.clone().contiguous()) : Pending.Done(gradient);

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
    private LinearSinks _sinks;
    private KeptInput _input;
    private Tensor? _weight;
    private bool _hasBias;

    public Tensor Apply(Tensor x, Tensor weight, Tensor? bias, Tensor residual)
    {
        _input = ops.Keep(x);
        _sinks = LinearSinks.Of(ops, weight, bias);
        _hasBias = bias is not null;
        return bias is null ? Record(x, residual, weight)[0] : Record(x, residual, weight, bias)[0];
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        _weight = inputs[2];
        _input.Save(inputs[0], saved);
        return [ops.AddToResidual(inputs[0], _weight, _hasBias ? inputs[3] : null, inputs[1])];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var gradient = ops.GatherResidual(gradients[0]).Wait();
        var dx = ops.Kernels.LinearInputGradient(gradient, _weight!);
        var (dw, db) = _sinks.Deliver(ops, gradient, _input.Restore(saved));
        var residual = gradients[0].detach();
        return _hasBias ? [dx, residual, dw, db] : [dx, residual, dw];
    }
}
