using System.Diagnostics;

namespace Uniscale.Telemetry;

/// <summary>
/// Turns what a step measured into a <see cref="StepReport"/>: speed, model FLOP/s, MFU, memory and the time that is left.
/// </summary>
public sealed class StepMeter(RunStart start)
{
    private const int Window = 20;

    private readonly Queue<(double Seconds, long Tokens)> _recent = new(Window);

    /// <summary>
    /// Completes <paramref name="measured"/>, of which step, loss, norm, rate, tokens and seconds are given. The time that is left is
    /// that of the remaining tokens (or steps, where the run's tokens are not known) at the median of the last 20 steps: of tokens, because
    /// steps grow
    /// along a ramp; the median, because the first step also warms up.
    /// </summary>
    /// <param name="measured">The step as the trainer saw it.</param>
    /// <param name="flopsPerToken">Model operations for a token where they differ from the start's, as with a longer context; null: the
    /// same.</param>
    public StepReport Complete(StepReport measured, double? flopsPerToken = null)
    {
        if (_recent.Count == Window)
            _recent.Dequeue();
        _recent.Enqueue((measured.Seconds, measured.BatchTokens));
        double tokensPerSecond = measured.Seconds > 0 ? measured.BatchTokens / measured.Seconds : 0;
        double flops = tokensPerSecond * (flopsPerToken ?? start.FlopsPerToken);
        long memory = Environment.WorkingSet;
        return measured with
        {
            TotalSteps = measured.TotalSteps > 0 ? measured.TotalSteps : start.TotalSteps,
            TokensPerSecond = tokensPerSecond,
            ModelFlops = flops,
            Mfu = start.PeakFlops is > 0 ? flops / start.PeakFlops : null,
            MemoryBytes = memory,
            MemoryParts = Completed(measured.MemoryParts, memory),
            PeakMemoryBytes = Math.Max(memory, HostMemory.PeakResidentBytes()),
            Remaining = Remaining(measured),
        };
    }

    /// <summary>What the trainer knows of, the objects of .NET, and the rest of the resident memory.</summary>
    private static IReadOnlyDictionary<string, long> Completed(IReadOnlyDictionary<string, long> known, long resident)
    {
        if (known.Count == 0)
            return known;
        long managed = GC.GetTotalMemory(forceFullCollection: false);
        return new Dictionary<string, long>(known)
        {
            ["managed"] = managed,
            ["other"] = Math.Max(0, resident - managed - known.Values.Sum()),
        };
    }

    /// <summary>Seconds since a time stamp of <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public static double SecondsSince(long timestamp) => Stopwatch.GetElapsedTime(timestamp).TotalSeconds;

    private TimeSpan? Remaining(StepReport measured)
    {
        if (start.TotalTokens > 0 && measured.BatchTokens > 0)
            return TimeSpan.FromSeconds(
                Math.Max(0, start.TotalTokens - measured.ConsumedTokens)
                    * Median(_recent.Select(step => step.Seconds / Math.Max(1, step.Tokens)))
            );
        return start.TotalSteps == 0
            ? null
            : TimeSpan.FromSeconds(Math.Max(0, start.TotalSteps - measured.Step) * Median(_recent.Select(step => step.Seconds)));
    }

    private static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted[sorted.Length / 2];
    }
}
