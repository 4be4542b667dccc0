using TorchSharp;
using Uniscale.Kernels.Cpu;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Kernels.Optimizer;

/// <summary>The arithmetic in one pass over memory by Uniscale.Kernels, for CPU tensors.</summary>
public sealed class NativeOptimizerKernel : IOptimizerKernel
{
    /// <summary>This kernel where the processor and the device allow it, else the plain one.</summary>
    public static IOptimizerKernel For(Device device) =>
        device.type == DeviceType.CPU && CpuKernels.IsSupported ? new NativeOptimizerKernel() : new TorchOptimizerKernel();

    /// <inheritdoc/>
    public void AdamW(Tensor weights, Tensor? rounded, Tensor gradient, Tensor firstMoment, Tensor secondMoment, AdamWStep step)
    {
        var constants = new AdamWConstants(
            (float)step.LearningRate,
            (float)step.Beta1,
            (float)step.Beta2,
            (float)step.Epsilon,
            (float)step.WeightDecay,
            (float)(1 - Math.Pow(step.Beta1, step.Update)),
            (float)(1 - Math.Pow(step.Beta2, step.Update)),
            (float)step.GradientScale
        );
        CpuKernels.AdamW(
            Address(weights),
            rounded is null ? 0 : Address(rounded),
            Address(gradient),
            Address(firstMoment),
            Address(secondMoment),
            weights.numel(),
            constants
        );
    }

    /// <inheritdoc/>
    public Tensor SumOfSquares(Tensor values) => tensor(CpuKernels.SumOfSquares(Address(values), values.numel()), float64);

    private static nint Address(Tensor tensor) => TensorMemory.DataPointer(tensor);
}
