using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Uniscale.Kernels.Cpu;

/// <summary>
/// Plain copies from memory to memory, as often as asked for, between two regions that are made once: to get fresh pages takes longer than
/// to copy.
/// </summary>
public sealed unsafe class PlainCopy : IDisposable
{
    private const long Bytes = 64L << 20;
    private readonly byte* _memory;

    /// <summary>Makes the regions.</summary>
    public PlainCopy()
    {
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(2 * Bytes), 4096);
        new Span<byte>(_memory, (int)(2 * Bytes)).Fill(1);
    }

    /// <summary>
    /// Bytes a second of <paramref name="threads"/> threads together, read and written bytes both counted: the median of
    /// <paramref name="rounds"/>.
    /// </summary>
    public double Bandwidth(int threads, int rounds = 1)
    {
        double[] seconds = new double[rounds];
        long part = Bytes / threads / 64 * 64;
        for (int round = 0; round < rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            Parallel.For(
                0,
                threads,
                new ParallelOptions { MaxDegreeOfParallelism = threads },
                thread => NativeMemory.Copy(_memory + thread * part, _memory + Bytes + thread * part, (nuint)part)
            );
            seconds[round] = Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
        Array.Sort(seconds);
        return 2.0 * part * threads / seconds[rounds / 2];
    }

    /// <inheritdoc/>
    public void Dispose() => NativeMemory.AlignedFree(_memory);
}
