using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Uniscale.Kernels.Cpu;

/// <summary>What this processor reaches at most, measured now: the yardstick of a benchmark, to be taken in the same run.</summary>
public static unsafe partial class PeakSpeed
{
    private const long CopyBytes = 64L << 20;

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
        nint memory = (nint)NativeMemory.AlignedAlloc((nuint)(2 * CopyBytes), 4096);
        try
        {
            new Span<byte>((void*)memory, (int)(2 * CopyBytes)).Fill(1);
            double[] seconds = new double[rounds];
            long part = CopyBytes / threads / 64 * 64;
            for (int round = 0; round < rounds; round++)
            {
                long start = Stopwatch.GetTimestamp();
                Parallel.For(
                    0,
                    threads,
                    new ParallelOptions { MaxDegreeOfParallelism = threads },
                    thread =>
                        NativeMemory.Copy(
                            (void*)(memory + (nint)(thread * part)),
                            (void*)(memory + (nint)(CopyBytes + thread * part)),
                            (nuint)part
                        )
                );
                seconds[round] = Stopwatch.GetElapsedTime(start).TotalSeconds;
            }
            Array.Sort(seconds);
            return 2.0 * part * threads / seconds[rounds / 2];
        }
        finally
        {
            NativeMemory.AlignedFree((void*)memory);
        }
    }

#pragma warning disable IDE1006 // the name is that of the C interface
    [LibraryImport("uniscale_kernels")]
    private static partial int uniscale_peak(int type, int threads, double seconds, out double flops);
#pragma warning restore IDE1006
}
