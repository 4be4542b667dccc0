using System.Text.Json;
using Uniscale.Programs.Timing;

namespace Uniscale.Programs.Tracing;

/// <summary>Reads what <c>uniscale train --trace</c> measured, step by step, so that it can be laid beside a prediction.</summary>
public static class MeasuredTrace
{
    private const string Compute = "compute";
    private const string Wait = "wait";

    /// <summary>A stretch of a rank's time in the file, in seconds.</summary>
    private readonly record struct Event(int Rank, string Category, string Name, double Start, double End);

    /// <summary>The complete steps of a trace, first to last. A step ends where all ranks take the norm; it begins at 0 with the first pass
    /// of any rank. Waits inside a
    /// pass (for a tensor of another stage) are not part of the pass.</summary>
    /// <param name="path">Chrome trace file.</param>
    /// <exception cref="FormatException">The file is no such trace.</exception>
    public static IReadOnlyList<PipelineTimeline> Steps(string path)
    {
        var events = Read(path);
        var waits = events.Where(e => e.Category == Wait).ToLookup(e => e.Rank);
        var steps = new List<List<Interval>>();
        int complete = int.MaxValue;
        foreach (var rank in events.Where(e => e.Category == Compute).GroupBy(e => e.Rank))
        {
            int step = 0;
            foreach (var entry in rank.OrderBy(e => e.Start))
            {
                if (!Instruction.TryParse(entry.Name, out var instruction))
                    continue;
                if (steps.Count == step)
                    steps.Add([]);
                if (IsPass(instruction.Op))
                    steps[step].Add(new Interval(rank.Key, Lane.Compute, instruction, AfterWaits(entry, waits[rank.Key]), entry.End));
                if (instruction.Op == Op.Norm)
                    step++;
            }
            complete = Math.Min(complete, step);
        }
        return steps.Take(complete).Where(step => step.Count > 0).Select(FromZero).ToArray();
    }

    private static bool IsPass(Op op) => op is Op.Forward or Op.Backward or Op.BackwardInput or Op.BackwardWeight;

    /// <summary>A pass waits before it computes: it begins as much later as it waited.</summary>
    private static double AfterWaits(Event pass, IEnumerable<Event> waits) =>
        Math.Min(pass.End, pass.Start + waits.Sum(wait => Math.Max(0, Math.Min(wait.End, pass.End) - Math.Max(wait.Start, pass.Start))));

    private static PipelineTimeline FromZero(List<Interval> step)
    {
        double origin = step.Min(interval => interval.Start);
        var shifted = step.ConvertAll(interval => interval with { Start = interval.Start - origin, End = interval.End - origin });
        return new PipelineTimeline(shifted, shifted.Max(interval => interval.End));
    }

    private static List<Event> Read(string path)
    {
        using var stream = File.OpenRead(path);
        try
        {
            using var document = JsonDocument.Parse(stream);
            var events = new List<Event>();
            foreach (var entry in document.RootElement.GetProperty("traceEvents").EnumerateArray())
            {
                if (entry.GetProperty("ph").GetString() != "X")
                    continue;
                double start = entry.GetProperty("ts").GetDouble() / 1e6;
                events.Add(
                    new Event(
                        entry.GetProperty("pid").GetInt32(),
                        entry.GetProperty("cat").GetString()!,
                        entry.GetProperty("name").GetString()!,
                        start,
                        start + entry.GetProperty("dur").GetDouble() / 1e6
                    )
                );
            }
            return events;
        }
        catch (Exception malformed) when (malformed is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"{path} is no Chrome trace: {malformed.Message}", malformed);
        }
    }
}
