using Uniscale.Engine.Autograd;
using Uniscale.Engine.Model;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>
/// residual + W₂·gelu(W₁·x + b₁) + b₂, with W₁ split by output features and W₂ by input features: the activation and its gradient are taken
/// in the epilogues of the GEMMs beside them, not in passes over memory of their own.
/// </summary>
internal sealed class GeluFeedForwardOperation(ParallelOps ops, ColumnWeights up, ColumnWeights down) : Operation
{
    private readonly LinearSinks _upSinks = LinearSinks.Of(ops, up.Weight, up.Bias),
        _downSinks = LinearSinks.Of(ops, down.Weight, down.Bias);
    private readonly Tensor[] _biases = [.. new[] { up.Bias, down.Bias }.OfType<Tensor>()];
    private KeptInput _input;

    public Tensor Apply(Tensor x, Tensor residual)
    {
        _input = ops.Keep(x);
        return Record([x, residual, up.Weight, down.Weight, .. _biases])[0];
    }

    protected override IReadOnlyList<Tensor> Forward(IReadOnlyList<Tensor> inputs, List<Tensor> saved)
    {
        var (pre, activated) = ops.Kernels.LinearGelu(ops.GatherResidual(inputs[0]).Wait(), up.Weight, up.Bias);
        saved.Add(pre);
        if (!ops.Selective)
            saved.Add(activated);
        _input.Save(inputs[0], saved);
        return [ops.AddToResidual(activated, down.Weight, down.Bias, inputs[1])];
    }

    protected override IReadOnlyList<Tensor?> Backward(IReadOnlyList<Tensor> gradients, IReadOnlyList<Tensor> saved)
    {
        var pre = saved[0];
        var activated = ops.Selective ? ops.Kernels.Gelu(pre) : saved[1];
        var gathering = ops.GatherResidual(_input.Restore(saved, ops.Selective ? 1 : 2));
        var gradient = ops.GatherResidual(gradients[0]).Wait();
        var beforeGelu = ops.Kernels.LinearInputGradientBeforeGelu(gradient, down.Weight, pre);
        var (dDown, dDownBias) = _downSinks.Deliver(ops, gradient, activated);
        var reducing = ops.ReduceResidual(ops.Kernels.LinearInputGradient(beforeGelu, up.Weight));
        var (dUp, dUpBias) = _upSinks.Deliver(ops, beforeGelu, gathering.Wait());
        var results = new List<Tensor?> { reducing.Wait(), gradients[0].detach(), dUp, dDown };
        if (up.Bias is not null)
            results.Add(dUpBias);
        if (down.Bias is not null)
            results.Add(dDownBias);
        return results;
    }
}
