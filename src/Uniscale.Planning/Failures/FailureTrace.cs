using System.Globalization;
using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Planning.Failures;

/// <summary>
/// Failures of a cluster as they were recorded, replayed: a JSON array of <c>{"node_id", "event_time", "event_type": "fault_start" |
/// "fault_end", "fault_type": {"Level", …}}</c>
/// (InfiniteHBD-Trace). Times are seconds, or dates. The job runs on the first nodes in the order in which the trace names them.
/// </summary>
public sealed class FailureTrace : IFailureSource
{
    private readonly Failure[] _failures;

    private FailureTrace(Failure[] failures, double seconds) => (_failures, Seconds) = (failures, seconds);

    /// <summary>Seconds that the trace covers.</summary>
    public double Seconds { get; }

    /// <summary>Number of failures of the job's nodes.</summary>
    public int Count => _failures.Length;

    /// <summary>Reads a trace.</summary>
    /// <param name="path">The file.</param>
    /// <param name="nodes">Nodes of the job.</param>
    /// <exception cref="UserErrorException">It is no such trace, or has fewer nodes than the job.</exception>
    public static FailureTrace Load(string path, int nodes)
    {
        if (!File.Exists(path))
            throw new UserErrorException($"There is no trace {path}.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return Of([.. document.RootElement.EnumerateArray().Select(Read).OrderBy(entry => entry.At)], nodes, path);
        }
        catch (Exception malformed)
            when (malformed is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException(
                $"{path} is no failure trace: it must be a JSON array of objects with node_id, event_time and event_type (fault_start or fault_end).",
                malformed
            );
        }
    }

    /// <inheritdoc/>
    public Failure Next(double after)
    {
        int low = 0,
            high = _failures.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_failures[middle].At > after)
                high = middle;
            else
                low = middle + 1;
        }
        return low < _failures.Length ? _failures[low] : new Failure(double.PositiveInfinity, 0);
    }

    private static FailureTrace Of((string Node, double At, bool IsStart)[] entries, int nodes, string path)
    {
        string[] named = entries.Select(entry => entry.Node).Distinct().ToArray();
        if (named.Length < nodes)
            throw new UserErrorException($"{path} has {named.Length} nodes but the job needs {nodes}: simulate a smaller job with --gpus.");
        var used = named.Take(nodes).ToHashSet();
        double origin = entries[0].At;
        var open = new Dictionary<string, double>();
        var failures = new List<Failure>();
        foreach (var (node, at, isStart) in entries)
        {
            if (!used.Contains(node))
                continue;
            if (isStart)
                open.TryAdd(node, at - origin);
            else if (open.Remove(node, out double from))
                failures.Add(new Failure(from, 1, at - origin - from));
        }
        failures.AddRange(open.Values.Select(from => new Failure(from, 1)));
        return new FailureTrace([.. failures.OrderBy(failure => failure.At)], entries[^1].At - origin);
    }

    private static (string Node, double At, bool IsStart) Read(JsonElement entry)
    {
        var time = entry.GetProperty("event_time");
        double at =
            time.ValueKind == JsonValueKind.Number
                ? time.GetDouble()
                : DateTimeOffset
                    .Parse(time.GetString()!, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal)
                    .ToUnixTimeMilliseconds() / 1000.0;
        return (
            entry.GetProperty("node_id").ToString(),
            at,
            entry.GetProperty("event_type").GetString() switch
            {
                "fault_start" => true,
                "fault_end" => false,
                _ => throw new FormatException("event_type"),
            }
        );
    }
}
