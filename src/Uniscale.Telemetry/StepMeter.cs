using System.Diagnostics;

namespace Uniscale.Telemetry;

/// <summary>Turns what a step measured into a <see cref="StepReport"/>: speed, model FLOP/s, MFU, memory and the time that is left.</summary>
public sealed class StepMeter(RunStart start)
{
    private const int Window = 20;

    private readonly Queue<double> recent = new(Window);
    private long peakMemoryBytes;

    /// <summary>
    /// Completes <paramref name="measured"/>, of which step, loss, norm, rate, tokens and seconds are given. The time that is left is
    /// that of the remaining steps at the median of the last 20 (the first step, which also warms up, leaves soon).
    /// </summary>
    /// <param name="measured">The step as the trainer saw it.</param>
    /// <param name="flopsPerToken">Model operations for a token where they differ from the start's, as with a longer context; null: the same.</param>
    public StepReport Complete(StepReport measured, double? flopsPerToken = null)
    {
        if (recent.Count == Window)
            recent.Dequeue();
        recent.Enqueue(measured.Seconds);
        var tokensPerSecond = measured.Seconds > 0 ? measured.BatchTokens / measured.Seconds : 0;
        var flops = tokensPerSecond * (flopsPerToken ?? start.FlopsPerToken);
        var memory = Environment.WorkingSet;
        peakMemoryBytes = Math.Max(peakMemoryBytes, memory);
        return measured with
        {
            TotalSteps = start.TotalSteps,
            TokensPerSecond = tokensPerSecond,
            ModelFlops = flops,
            Mfu = start.PeakFlops is > 0 ? flops / start.PeakFlops : null,
            MemoryBytes = memory,
            PeakMemoryBytes = peakMemoryBytes,
            Remaining = Remaining(measured.Step),
        };
    }

    /// <summary>Seconds since a time stamp of <see cref="Stopwatch.GetTimestamp"/>.</summary>
    public static double SecondsSince(long timestamp) => Stopwatch.GetElapsedTime(timestamp).TotalSeconds;

    private TimeSpan? Remaining(long step)
    {
        if (start.TotalSteps == 0)
            return null;
        var sorted = recent.Order().ToArray();
        return TimeSpan.FromSeconds(Math.Max(0, start.TotalSteps - step) * sorted[sorted.Length / 2]);
    }
}
