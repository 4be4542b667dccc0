namespace Uniscale.Engine.Buckets;

/// <summary>Bytes that a rank holds between steps.</summary>
/// <param name="ParameterBytes">Parameters in the type they are computed with.</param>
/// <param name="GradientBytes">Gradient accumulation, fp32.</param>
/// <param name="OptimizerBytes">First and second moments, and master weights where parameters are bf16.</param>
public readonly record struct MemoryAccount(long ParameterBytes, long GradientBytes, long OptimizerBytes)
{
    /// <summary>All of it.</summary>
    public long TotalBytes => ParameterBytes + GradientBytes + OptimizerBytes;

    /// <summary>
    /// What <paramref name="parameterCount"/> parameters cost in theory (Rajbhandari et al., 2020, fig. 1, with fp32 gradient
    /// accumulation):
    /// stage 1 divides the optimizer state by the group, stage 2 the gradients, stage 3 the parameters.
    /// </summary>
    public static MemoryAccount Formula(long parameterCount, int parameterSizeBytes, int zeroStage, int zeroGroup)
    {
        long Share(long bytes, int fromStage) => zeroStage >= fromStage ? bytes / zeroGroup : bytes;
        int optimizerSizeBytes = parameterSizeBytes == 4 ? 8 : 12;
        return new MemoryAccount(
            Share(parameterCount * parameterSizeBytes, 3),
            Share(parameterCount * 4, 2),
            Share(parameterCount * optimizerSizeBytes, 1)
        );
    }

    /// <summary>Both together.</summary>
    public static MemoryAccount operator +(MemoryAccount a, MemoryAccount b) =>
        new(a.ParameterBytes + b.ParameterBytes, a.GradientBytes + b.GradientBytes, a.OptimizerBytes + b.OptimizerBytes);
}
