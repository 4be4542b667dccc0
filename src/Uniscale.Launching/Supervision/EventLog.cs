using System.Text.Json;
using System.Text.Json.Serialization;
using Uniscale.Configuration;
using Uniscale.Configuration.Loading;
using Uniscale.Telemetry;

namespace Uniscale.Launching.Supervision;

/// <summary>Turns in the life of a job.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JobEventKind>))]
public enum JobEventKind
{
    /// <summary>Ranks were started.</summary>
    Started,

    /// <summary>Something went wrong.</summary>
    Fault,

    /// <summary>Ranks were started again after a fault.</summary>
    Restarted,

    /// <summary>No restart is left, or none would help.</summary>
    GivenUp,

    /// <summary>It was asked to stop, and did.</summary>
    Stopped,

    /// <summary>All steps are done.</summary>
    Finished,

    /// <summary>It went back into the queue of its batch system, to go on in another allocation.</summary>
    Requeued,
}

/// <summary>One line of the log.</summary>
/// <param name="Time">When.</param>
/// <param name="Kind">What.</param>
/// <param name="Attempt">Which start of the job, from 1.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Message">In words.</param>
/// <param name="Fault">The fault, where there was one.</param>
/// <param name="Details">One line a rank, where the job hung.</param>
public sealed record JobEvent(
    DateTimeOffset Time,
    JobEventKind Kind,
    int Attempt,
    long Step,
    string Message,
    Fault? Fault = null,
    IReadOnlyList<string>? Details = null
);

/// <summary>The life of a job in a file of JSON lines, for <c>uniscale why</c> and for the accounting of lost time.</summary>
public sealed class EventLog(string folder)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "events.jsonl";

    private const int LongestLine = 1 << 22;

    private static readonly JsonSerializerOptions Format = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Adds a line. Telling must never end a job, so a full disk is passed over.</summary>
    public void Add(JobEvent entry)
    {
        try
        {
            File.AppendAllText(Path.Combine(folder, FileName), Secrets.Mask(JsonSerializer.Serialize(entry, Format)) + "\n");
        }
        catch (IOException)
        {
            // The launcher prints the same sentence.
        }
    }

    /// <summary>All lines, oldest first; a line that was cut off is left out.</summary>
    public static IReadOnlyList<JobEvent> Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        var events = new List<JobEvent>();
        if (!File.Exists(path))
            return events;
        try
        {
            foreach (string line in BoundedLines.Read(path, LongestLine))
                if (Parse(line) is { } entry)
                    events.Add(entry);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserErrorException($"{path} cannot be read ({error.Message.TrimEnd('.')}).", error);
        }
        return events;
    }

    private static JobEvent? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<JobEvent>(line, Format) is { Message: not null } entry ? entry : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
