using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>A turn in the life of a job, as its supervisor wrote it to launch/events.jsonl.</summary>
/// <param name="Kind">Started, Fault, Restarted, GivenUp, Stopped or Finished.</param>
public sealed record LaunchEvent(DateTimeOffset Time, string Kind, long Attempt, long Step, string Message)
{
    private const int LongestLine = 1 << 20,
        Most = 5_000;

    private const long MostBytes = 64 << 20;

    /// <summary>The turns of a run, the first first; what is no such record is left out.</summary>
    internal static IReadOnlyList<LaunchEvent> Read(RunsFolder door, string run)
    {
        var events = new List<LaunchEvent>();
        try
        {
            using var stream = door.Open(run, "launch/events.jsonl");
            if (stream is null)
                return events;
            new LineScanner(LongestLine).Read(
                stream,
                line =>
                {
                    if (events.Count < Most && Parse(line) is { } entry)
                        events.Add(entry);
                },
                MostBytes
            );
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error))
        {
            // What was read until then counts.
        }
        return events;
    }

    private static LaunchEvent? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            return new LaunchEvent(
                root.GetProperty("time").GetDateTimeOffset(),
                root.GetProperty("kind").GetString() ?? "",
                root.GetProperty("attempt").GetInt64(),
                root.GetProperty("step").GetInt64(),
                root.GetProperty("message").GetString() ?? ""
            );
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            return null;
        }
    }
}
