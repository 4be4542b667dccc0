using System.Text.Json;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Supervision;
using Uniscale.Telemetry;
using Uniscale.Training.Faults;

namespace Uniscale.Experiments.Faults;

/// <summary>When a fault was noticed, and when the run was back at the step that it cost; out of what the run wrote down.</summary>
/// <param name="Detect">Seconds from the fault to the first word about it; null: none.</param>
/// <param name="Back">Seconds from the fault until its step was done; null: never.</param>
internal readonly record struct CellTimes(double? Detect, double? Back)
{
    /// <summary>Reads a run's directory.</summary>
    /// <param name="runDirectory">The run.</param>
    /// <param name="fault">What happened to it.</param>
    /// <param name="end">When it ended with a failure; null: it did not.</param>
    public static CellTimes Of(string runDirectory, FiredFault fault, DateTimeOffset? end)
    {
        // Metrics carry milliseconds.
        var from = fault.Time - TimeSpan.FromMilliseconds(1);
        var events = EventLog.Read(Path.Combine(runDirectory, RankLauncher.FolderName)).Where(entry => entry.Time >= from).ToList();
        var said = events.Where(entry => entry.Fault is not null).Select(entry => entry.Time).ToList();
        // A restart costs all that was reached until then; what the dying attempt still did and saved counts where nothing was left to do
        // after it.
        var restart = events.FirstOrDefault(entry => entry.Kind == JobEventKind.Restarted);
        var after = restart?.Time ?? from;
        long step = Math.Max(fault.Step, events.FirstOrDefault(entry => entry.Fault is not null)?.Step ?? 0);
        DateTimeOffset? back = null,
            beforeRestart = null;
        foreach (var line in Lines(Path.Combine(runDirectory, TelemetryFactory.MetricsFileName)))
        {
            var time = line.GetProperty("time").GetDateTimeOffset();
            if (time < from)
                continue;
            string kind = line.GetProperty("kind").GetString()!;
            if (kind == "step" && line.GetProperty("step").GetInt64() >= step)
            {
                beforeRestart ??= time;
                if (time >= after)
                    back ??= time;
            }
            if (
                kind == "note"
                && line.GetProperty("level").GetString() is { } level
                && !level.Equals("information", StringComparison.OrdinalIgnoreCase)
            )
                said.Add(time);
        }
        if (end is { } ended)
            said.Add(ended);
        var first = said.Order().Select(time => (DateTimeOffset?)time).FirstOrDefault();
        return new CellTimes(Since(first), Since(back ?? beforeRestart));

        double? Since(DateTimeOffset? moment) => moment is { } at ? Math.Max(0, (at - fault.Time).TotalSeconds) : null;
    }

    private static IEnumerable<JsonElement> Lines(string path)
    {
        if (!File.Exists(path))
            yield break;
        foreach (string line in File.ReadLines(path))
        {
            if (Parse(line) is { } element)
                yield return element;
        }
    }

    // A line may be cut off where its writer was killed.
    private static JsonElement? Parse(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
