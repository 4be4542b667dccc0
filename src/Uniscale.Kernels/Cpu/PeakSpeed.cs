using System.Runtime.InteropServices;

namespace Uniscale.Kernels.Cpu;

/// <summary>What this processor reaches at most, measured now: the yardstick of a benchmark, to be taken in the same run.</summary>
public static partial class PeakSpeed
{
    /// <summary>
    /// FLOP/s of <paramref name="threads"/> threads together: multiply-adds whose operands come from the first-level cache by loads, on AMX
    /// tiles,
    /// bf16 dot products or FMA, whichever is the fastest for the type. Each thread counts by its median of some microseconds.
    /// </summary>
    /// <exception cref="KernelException">The processor lacks AVX2.</exception>
    public static double Flops(KernelType type, int threads, TimeSpan duration)
    {
        CpuKernels.Check(uniscale_peak((int)type, threads, duration.TotalSeconds, out double flops));
        return flops;
    }

    /// <summary>
    /// Bytes a second of plain copies from memory to memory by <paramref name="threads"/> threads together, read and written bytes both
    /// counted: the
    /// median of <paramref name="rounds"/>.
    /// </summary>
    public static double CopyBandwidth(int threads, int rounds = 7)
    {
        using var copy = new PlainCopy();
        return copy.Bandwidth(threads, rounds);
    }

#pragma warning disable IDE1006 // the name is that of the C interface
    [LibraryImport("uniscale_kernels")]
    private static partial int uniscale_peak(int type, int threads, double seconds, out double flops);
#pragma warning restore IDE1006
}
