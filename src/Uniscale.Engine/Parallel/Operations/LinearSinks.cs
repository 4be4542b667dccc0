using Uniscale.Kernels;
using Uniscale.Kernels.Reference;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Operations;

/// <summary>Where the gradients of a linear layer's parameters are summed; null where autograd gives them back.</summary>
internal readonly record struct LinearSinks(Func<GradientSum>? Weight, Func<GradientSum>? Bias, bool HasBias)
{
    public static LinearSinks Of(ParallelOps ops, Tensor weight, Tensor? bias) =>
        new(ops.Sink.Find(weight), bias is null ? null : ops.Sink.Find(bias), bias is not null);

    /// <summary>
    /// Adds gradientᵀ·x and the sum of the gradient over all tokens to their sums, now or later, or gives them back where there are none.
    /// </summary>
    public (Tensor? Weight, Tensor? Bias) Deliver(ParallelOps ops, Tensor gradient, Tensor x)
    {
        // A bias whose weight has no sum, or the other way round, has its gradient computed apart.
        bool together = Weight is not null && Bias is not null;
        Tensor? bias = null;
        if (HasBias && !together)
            bias = ParallelOps.Deliver(Bias, TorchKernels.SumOverTokens(gradient), gradient.dtype);
        if (Weight is not { } weight)
            return (ops.Kernels.LinearWeightGradient(gradient, x), bias);
        var beside = together ? Bias : null;
        if (ops.Deferred is { } queue)
            queue.Add(kept => ops.Kernels.AccumulateWeightGradient(weight(), kept[0], kept[1], beside?.Invoke()), gradient, x);
        else
            ops.Kernels.AccumulateWeightGradient(weight(), gradient, x, beside?.Invoke());
        return (null, bias);
    }
}
