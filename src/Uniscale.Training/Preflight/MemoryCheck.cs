using System.Diagnostics;
using Uniscale.Engine.Devices;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Training.Preflight;

/// <summary>
/// Copies of a pattern that is known without the memory, and of its complement: every bit is written and read as zero and as one.
/// </summary>
internal static class MemoryCheck
{
    /// <summary>
    /// Larger than the caches of a core; the last level of a processor is shared by its ranks, which all copy at once. A small run's peak
    /// of memory is not to be this check.
    /// </summary>
    private const int Count = 4 << 20;

    private const int Parts = 8;

    /// <summary>Copies for so long.</summary>
    /// <param name="link">Where.</param>
    /// <param name="time">How long.</param>
    /// <returns>Bytes a second read and written by the fastest copy, and what was wrong in words; empty: nothing.</returns>
    public static (double Rate, string Wrong) Run(HostLink link, TimeSpan time)
    {
        using var noGrad = no_grad();
        using var pattern = TensorMemory.Empty([Count], ScalarType.Int32, link.Device);
        using (var numbers = arange(Scalars.Of(0), Scalars.Of(Count), Scalars.One, ScalarType.Int32))
        using (var uploaded = link.Upload(numbers))
            pattern.copy_(uploaded);
        using var copy = TensorMemory.EmptyLike(pattern);
        double fastest = double.PositiveInfinity;
        copy.copy_(pattern);
        link.Await();
        long begin = Stopwatch.GetTimestamp();
        do
        {
            long start = Stopwatch.GetTimestamp();
            copy.copy_(pattern);
            link.Await();
            fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(start).TotalSeconds);
        } while (Stopwatch.GetElapsedTime(begin) < time);
        long wrong = Wrong(link, copy, complement: false);
        copy.bitwise_not_();
        wrong += Wrong(link, copy, complement: true);
        return (
            2.0 * Count * sizeof(int) / fastest,
            wrong == 0 ? "" : $"reads {wrong} of {2 * Count} numbers otherwise than it wrote them to memory"
        );
    }

    private static long Wrong(HostLink link, Tensor copy, bool complement)
    {
        long wrong = 0;
        for (int part = 0; part < Parts; part++)
        {
            int start = part * (Count / Parts);
            using var view = copy.narrow(0, start, Count / Parts);
            int[] values = link.Read<int>(view);
            for (int i = 0; i < values.Length; i++)
                if (values[i] != (complement ? ~(start + i) : start + i))
                    wrong++;
        }
        return wrong;
    }
}
