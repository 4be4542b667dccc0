using System.Text;
using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A stretch of a rank's time, in seconds from the beginning of the trace.</summary>
/// <param name="Row">Compute, wait, communication and the like: a row of the rank.</param>
public sealed record TraceEvent(int Rank, int Row, string Name, string Category, double Start, double Seconds);

/// <summary>A Chrome trace that <c>train --trace</c> measured or <c>program --trace</c> predicted.</summary>
/// <param name="Events">By their starts.</param>
/// <param name="RowNames">Names of rows, by rank and row.</param>
/// <param name="Seconds">Length of the whole.</param>
/// <param name="IsCut">There are more events than are read.</param>
public sealed record TraceFile(
    IReadOnlyList<TraceEvent> Events,
    IReadOnlyDictionary<(int Rank, int Row), string> RowNames,
    double Seconds,
    bool IsCut
)
{
    private const int LongestTrace = 128 << 20,
        MostEvents = 400_000,
        HeadBytes = 512;

    /// <summary>Names of the traces in a run's folder and in its folder <c>traces</c>.</summary>
    internal static IReadOnlyList<string> List(RunsFolder door, string run) =>
        [
            .. door.Files(run, "*.json")
                .Concat(door.Files(Path.Combine(run, "traces"), "*.json").Select(name => $"traces/{name}"))
                .Where(name => IsTrace(door, run, name)),
        ];

    /// <summary>Reads a trace.</summary>
    /// <returns>Null: it cannot be read, or is no trace.</returns>
    internal static TraceFile? Read(RunsFolder door, string run, string name)
    {
        try
        {
            using var stream = door.Open(run, name);
            if (stream is null || stream.Length > LongestTrace)
                return null;
            using var document = JsonDocument.Parse(stream);
            return Parse(document.RootElement);
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error) || error is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static bool IsTrace(RunsFolder door, string run, string name)
    {
        try
        {
            using var stream = door.Open(run, name);
            if (stream is null)
                return false;
            byte[] head = new byte[HeadBytes];
            return Encoding
                .UTF8.GetString(head, 0, stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false))
                .Contains("\"traceEvents\"", StringComparison.Ordinal);
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            return false;
        }
    }

    private static TraceFile? Parse(JsonElement root)
    {
        if (
            root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("traceEvents", out var list)
            || list.ValueKind != JsonValueKind.Array
        )
            return null;
        var (events, names, isCut) = (new List<TraceEvent>(), new Dictionary<(int, int), string>(), false);
        foreach (var entry in list.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Object)
                continue;
            var (rank, row) = (
                (int)Math.Clamp(Or(entry.Number("pid")), 0, int.MaxValue),
                (int)Math.Clamp(Or(entry.Number("tid")), 0, int.MaxValue)
            );
            string name = entry.Text("name") ?? "";
            if (name == "thread_name" && entry.TryGetProperty("args", out var arguments))
                names[(rank, row)] = arguments.Text("name") ?? "";
            double start = entry.Number("ts") / 1e6,
                seconds = entry.Number("dur") / 1e6;
            if (entry.Text("ph") != "X" || !double.IsFinite(start) || !double.IsFinite(seconds) || seconds < 0)
                continue;
            if (events.Count == MostEvents)
            {
                isCut = true;
                break;
            }
            events.Add(new TraceEvent(rank, row, name, entry.Text("cat") ?? "", start, seconds));
        }
        if (events.Count == 0)
            return new TraceFile([], names, 0, isCut);
        double origin = events.Min(entry => entry.Start);
        events = [.. events.Select(entry => entry with { Start = entry.Start - origin }).OrderBy(entry => entry.Start)];
        return new TraceFile(events, names, events.Max(entry => entry.Start + entry.Seconds), isCut);

        static double Or(double number) => double.IsNaN(number) ? 0 : number;
    }
}
