using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Kernels.Cpu;

namespace Uniscale.Training.Runs;

/// <summary>What a user should know who trains in a precision that the processor has no instructions for.</summary>
internal static class PrecisionAdvice
{
    /// <summary>The sentence for a run; null: its precision is native here.</summary>
    public static string? For(TrainSection train)
    {
        if (
            train.Precision != PrecisionKind.Bf16
            || train.Device != "cpu"
            || !CpuKernels.IsSupported
            || ProcessorSupport.IsNative(KernelType.BFloat16)
        )
            return null;
        return Sentence(ProcessorSupport.NameOf(CpuKernels.InstructionSet), ProcessorSupport.ShareOfFloat32(TimeSpan.FromSeconds(0.3)));
    }

    internal static string Sentence(string level, double share)
    {
        string faster = share < 1 ? "train.precision=fp32 is the faster choice" : "train.precision=fp32 is no faster";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"bf16 is emulated on this processor ({level}): its GEMM runs at {share:P0} of fp32's speed, so {faster}; bf16 takes half the memory for activations."
        );
    }
}
