using Uniscale.Configuration;
using Uniscale.Engine.Autograd;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// Normalisation of the residual. Under sequence parallelism a rank sees part of the tokens, so the gradients of the parameters are summed.
/// </summary>
internal sealed class NormOperation(ParallelOps ops, NormKind kind, double epsilon) : Operation
{
    private Func<GradientSum>? _weightSink;
    private Func<GradientSum>? _biasSink;
    private Tensor? _weight;
    private bool _hasBias;
    private bool _branches;

    public Tensor Apply(Tensor x, Tensor weight, Tensor? bias) => Run(x, weight, bias)[0];

    /// <summary>The normalised residual, and the residual itself.</summary>
    public (Tensor Normalised, Tensor Residual) Branch(Tensor x, Tensor weight, Tensor? bias)
    {
        _branches = true;
        var outputs = Run(x, weight, bias);
        return (outputs[0], outputs[1]);
    }

    private IReadOnlyList<Tensor> Run(Tensor x, Tensor weight, Tensor? bias)
    {
        _weightSink = ops.Sink.Find(weight);
        _hasBias = bias is not null;
        if (bias is null)
            return Record(x, weight);
        _biasSink = ops.Sink.Find(bias);
        return Record(x, weight, bias);
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var result = ops.Kernels.Norm(kind, inputs[0], inputs[1], _hasBias ? inputs[2] : null, epsilon);
        _weight = inputs[1];
        saved.Add(inputs[0]);
        saved.Add(result.Scale);
        if (result.Mean is { } mean)
            saved.Add(mean);
        return _branches ? [result.Output, inputs[0].detach()] : [result.Output];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var mean = saved.Count > 2 ? saved[2] : null;
        var carried = _branches ? gradients[1] : null;
        var result = SumOverParts(ops.Kernels.NormBackward(kind, gradients[0], saved[0], _weight!, mean, saved[1], carried));
        var type = _weight!.dtype;
        var dw = ParallelOps.Deliver(_weightSink, result.Weight, type);
        return _hasBias ? [result.Input, dw, ParallelOps.Deliver(_biasSink, result.Bias!, type)] : [result.Input, dw];
    }

    private NormGradients SumOverParts(NormGradients part)
    {
        if (!ops.SequenceParallel)
            return part;
        var weight = ops.TensorAxis.AllReduce(part.Weight);
        Pending? bias = part.Bias is { } b ? ops.TensorAxis.AllReduce(b) : null;
        return part with { Weight = weight.Wait(), Bias = bias?.Wait() };
    }
}
