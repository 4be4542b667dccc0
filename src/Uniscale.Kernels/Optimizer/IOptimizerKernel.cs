using TorchSharp;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Optimizer;

/// <summary>The constants of one AdamW update.</summary>
/// <param name="LearningRate">Rate of this step.</param>
/// <param name="Beta1">Decay of the mean of gradients.</param>
/// <param name="Beta2">Decay of the mean of squared gradients.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Decoupled decay; the caller passes 0 for elements without it.</param>
/// <param name="Update">Number of this update, from 1, for the bias corrections.</param>
/// <param name="GradientScale">What gradients are multiplied with first: the clip coefficient.</param>
public readonly record struct AdamWStep(
    double LearningRate,
    double Beta1,
    double Beta2,
    double Epsilon,
    double WeightDecay,
    long Update,
    double GradientScale
);

/// <summary>
/// Arithmetic of the optimizer on flat fp32 tensors of equal length. AdamW (Loshchilov and Hutter, 2019, algorithm 2):
/// m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w(1 − ηλ) − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε).
/// </summary>
public interface IOptimizerKernel
{
    /// <summary>One update in place.</summary>
    /// <param name="weights">fp32 weights.</param>
    /// <param name="rounded">Receives the weights in bf16; null: nobody asks for them.</param>
    /// <param name="gradient">fp32 gradients.</param>
    /// <param name="firstMoment">m.</param>
    /// <param name="secondMoment">v.</param>
    /// <param name="step">Constants.</param>
    void AdamW(Tensor weights, Tensor? rounded, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step);

    /// <summary>Sum of squares, fp64 [] where the values lie; not finite where an element is not. The caller's scope owns it.</summary>
    Tensor SumOfSquares(Tensor values);
}

/// <summary>
/// The arithmetic in plain torch operators, in pieces that stay in the cache between the passes; on a device, in pieces that keep it busy.
/// </summary>
public sealed class TorchOptimizerKernel : IOptimizerKernel
{
    private const long HostPieceCount = 1 << 16,
        DevicePieceCount = 1 << 26;

    /// <inheritdoc/>
    public void AdamW(Tensor weights, Tensor? rounded, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step)
    {
        using var noGrad = no_grad();
        double correction1 = 1 - Math.Pow(step.Beta1, step.Update);
        double correction2 = 1 - Math.Pow(step.Beta2, step.Update);
        long count = weights.numel(),
            piece = PieceOf(weights);
        for (long start = 0; start < count; start += piece)
        {
            using var scope = NewDisposeScope();
            long length = Math.Min(piece, count - start);
            var w = weights.narrow(0, start, length);
            var g = gradient.narrow(0, start, length);
            var m = firstMoment.narrow(0, start, length);
            var v = secondMoment.narrow(0, start, length);
            m.mul_(Scalars.Of(step.Beta1)).add_(g, Scalars.Of((1 - step.Beta1) * step.GradientScale));
            v.mul_(Scalars.Of(step.Beta2)).addcmul_(g, g, Scalars.Of((1 - step.Beta2) * step.GradientScale * step.GradientScale));
            var root = v.sqrt().mul_(Scalars.Of(1 / Math.Sqrt(correction2))).add_(Scalars.Of(step.Epsilon), Scalars.One);
            if (step.WeightDecay != 0)
                w.mul_(Scalars.Of(1 - step.LearningRate * step.WeightDecay));
            w.addcdiv_(m, root, Scalars.Of(-step.LearningRate / correction1));
            rounded?.narrow(0, start, length).copy_(w);
        }
    }

    /// <inheritdoc/>
    public Tensor SumOfSquares(Tensor values)
    {
        using var noGrad = no_grad();
        var sum = zeros([], float64, values.device);
        long count = values.numel(),
            piece = PieceOf(values);
        for (long start = 0; start < count; start += piece)
        {
            using var scope = NewDisposeScope();
            var part = values.narrow(0, start, Math.Min(piece, count - start));
            sum.add_(part.device_type == DeviceType.CPU ? part.dot(part) : part.norm(2.0f).to(float64).pow(Scalars.Of(2)), Scalars.One);
        }
        return sum;
    }

    private static long PieceOf(Tensor tensor) => tensor.device_type == DeviceType.CPU ? HostPieceCount : DevicePieceCount;
}
