using System.Text.Json;
using Uniscale.Dashboard.Safety;

namespace Uniscale.Dashboard.Reading;

/// <summary>
/// A report in JSON that some command has left in a run's folder: a sweep's table, a plan, an evaluation, a matrix of faults.
/// </summary>
internal static class JsonReport
{
    private const int LongestReport = 32 << 20,
        LongestLine = 1 << 20,
        MostLines = 5_000,
        Deepest = 32;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = Deepest, AllowTrailingCommas = true };

    /// <summary>Reads a report of at most so many bytes; of a file of JSON lines the lines, as a list.</summary>
    /// <returns>Null: it cannot be read, or is no JSON.</returns>
    public static JsonElement? Read(RunsFolder door, string folder, string name, int longest = LongestReport)
    {
        try
        {
            if (name.EndsWith(".jsonl", StringComparison.Ordinal))
                return Lines(door, folder, name, longest);
            using var stream = door.Open(folder, name);
            if (stream is null || stream.Length > longest)
                return null;
            using var document = JsonDocument.Parse(stream, Options);
            return document.RootElement.Clone();
        }
        catch (Exception error) when (RunsFolder.IsOfFile(error) || error is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static JsonElement? Lines(RunsFolder door, string folder, string name, int longest)
    {
        using var stream = door.Open(folder, name);
        if (stream is null || stream.Length > longest)
            return null;
        var lines = new List<JsonElement>();
        new LineScanner(LongestLine).Read(
            stream,
            line =>
            {
                if (lines.Count == MostLines)
                    return;
                try
                {
                    var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = Deepest });
                    using var document = JsonDocument.ParseValue(ref reader);
                    lines.Add(document.RootElement.Clone());
                }
                catch (JsonException)
                {
                    // Half written.
                }
            },
            LongestReport
        );
        return JsonSerializer.SerializeToElement(lines);
    }

    /// <summary>A text field; null: there is none.</summary>
    public static string? Text(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(name, out var value)
        && value.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False
            ? value.ToString()
            : null;

    /// <summary>A number field; NaN: there is none.</summary>
    public static double Number(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object
        && element.TryGetProperty(name, out var value)
        && value.ValueKind == JsonValueKind.Number
        && value.TryGetDouble(out double number)
            ? number
            : double.NaN;

    /// <summary>Items of a list field; none where there is none.</summary>
    public static IEnumerable<JsonElement> Items(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Array
            ? value.EnumerateArray()
            : [];

    /// <summary>Fields of an object field; none where there is none.</summary>
    public static IEnumerable<JsonProperty> Fields(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object
            ? value.EnumerateObject()
            : [];
}
