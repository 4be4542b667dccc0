using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Tracing;

/// <summary>Timelines as Chrome traces: a process a rank, with a row for compute and a row for communication.</summary>
public static class ChromeTrace
{
    private const double MicrosecondsPerSecond = 1e6;

    /// <summary>Writes a timeline to a file.</summary>
    /// <param name="path">File to make or replace.</param>
    /// <param name="timeline">Predicted or measured.</param>
    public static void Save(string path, PipelineTimeline timeline)
    {
        using var stream = File.Create(path);
        using var writer = new ChromeTraceWriter(stream);
        Write(writer, timeline);
    }

    /// <summary>Writes a timeline into a trace that has begun.</summary>
    public static void Write(ChromeTraceWriter writer, PipelineTimeline timeline)
    {
        foreach (int rank in timeline.Ranks)
        {
            writer.NameProcess(rank, $"rank {rank}");
            writer.NameThread(rank, (int)Lane.Compute, "compute");
            writer.NameThread(rank, (int)Lane.Communication, "communication");
        }
        foreach (var interval in timeline.Intervals)
            Write(writer, interval);
    }

    private static void Write(ChromeTraceWriter writer, Interval interval)
    {
        var at = interval.Instruction;
        writer.Write(
            at.ToString(),
            interval.Lane == Lane.Compute ? "compute" : "communication",
            interval.Start * MicrosecondsPerSecond,
            interval.Duration * MicrosecondsPerSecond,
            interval.Rank,
            (int)interval.Lane,
            ("block", at.Block),
            ("microbatch", at.Microbatch)
        );
    }
}
