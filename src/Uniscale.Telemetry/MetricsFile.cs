using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Telemetry;

/// <summary>Reads metrics.jsonl, which a running process may be writing to and which anybody may have edited.</summary>
public static class MetricsFile
{
    private const int LongestLine = 1 << 20;

    /// <summary>
    /// Gives each record to <paramref name="take"/>. A line that is no record, or whose fields are not what they should be, is left out and
    /// counted: the
    /// last one may be half written.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="take">Reads a record's fields with the accessors of <see cref="JsonElement"/>, which may throw.</param>
    /// <param name="mayBeginLate">The run may only just begin: a file without one record is no error.</param>
    /// <returns>Lines that were left out.</returns>
    /// <exception cref="UserErrorException">The file cannot be read, or not one line of it is a record.</exception>
    public static long Read(string path, Action<JsonElement> take, bool mayBeginLate = false)
    {
        long good = 0,
            bad = 0;
        try
        {
            foreach (string line in BoundedLines.Read(path, LongestLine))
            {
                try
                {
                    using var document = JsonDocument.Parse(line);
                    take(document.RootElement);
                    good++;
                }
                catch (Exception error)
                    when (error
                            is JsonException
                                or InvalidOperationException
                                or KeyNotFoundException
                                or FormatException
                                or OverflowException
                                or ArgumentException
                    )
                {
                    bad++;
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UserErrorException($"{path} cannot be read ({error.Message.TrimEnd('.')}).", error);
        }
        return good > 0 || bad == 0 || mayBeginLate
            ? bad
            : throw new UserErrorException($"{path} holds no record of a run: none of its {bad} lines is one.");
    }
}
