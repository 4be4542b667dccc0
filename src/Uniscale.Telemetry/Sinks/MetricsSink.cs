using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Uniscale.Telemetry.Sinks;

/// <summary>
/// metrics.jsonl: one JSON object a line, with <c>kind</c> (start, step, validation, evaluation, note, end) and <c>step</c>. A resumed
/// run drops the records after the step it continues from, so that each step stands there once.
/// </summary>
public sealed class MetricsSink : ITelemetrySink
{
    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DictionaryKeyPolicy = null,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower), new SecondsConverter() },
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    private readonly string _path;
    private StreamWriter _writer;

    /// <summary>Opens <paramref name="path"/> for appending after <paramref name="resumedStep"/>; 0 begins anew.</summary>
    public MetricsSink(string path, long resumedStep)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        this._path = path;
        Truncate(path, resumedStep);
        _writer = Append(path);
    }

    /// <summary>
    /// Losses of the steps that a metrics file holds and that were applied, up to <paramref name="lastStep"/>; none where there is no file.
    /// </summary>
    public static IReadOnlyList<double> Losses(string path, long lastStep)
    {
        if (!File.Exists(path))
            return [];
        var losses = new List<double>();
        foreach (
            string? line in File.ReadLines(path)
                .Where(line => line.StartsWith("{\"kind\":\"step\"", StringComparison.Ordinal) && StepOf(line) <= lastStep)
        )
        {
            using var record = JsonDocument.Parse(line);
            bool isSkipped = record.RootElement.TryGetProperty("skipped", out var skipped) && skipped.ValueKind == JsonValueKind.True;
            if (!isSkipped && record.RootElement.TryGetProperty("loss", out var loss) && loss.ValueKind == JsonValueKind.Number)
                losses.Add(loss.GetDouble());
        }
        return losses;
    }

    /// <inheritdoc/>
    public void Start(RunStart start) => Write("start", start);

    /// <inheritdoc/>
    public void Step(StepReport report) => Write("step", report);

    /// <inheritdoc/>
    public void Validation(ValidationReport report) => Write("validation", report);

    /// <inheritdoc/>
    public void Evaluation(EvaluationReport report) => Write("evaluation", report);

    /// <inheritdoc/>
    public void Note(Note note) => Write("note", note);

    /// <inheritdoc/>
    public void WentBack(long step)
    {
        _writer.Dispose();
        Truncate(_path, step, keepStart: true);
        _writer = Append(_path);
    }

    /// <inheritdoc/>
    public void End(RunEnd end) => Write("end", end);

    /// <inheritdoc/>
    public void Dispose() => _writer.Dispose();

    /// <summary>Writes the record's own object with kind and time put in front.</summary>
    private void Write<T>(string kind, T record)
    {
        string time = DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture);
        string json = JsonSerializer.Serialize(record, Format);
        _writer.WriteLine($"{{\"kind\":\"{kind}\",\"time\":\"{time}\",{json.AsSpan(1)}");
    }

    /// <summary>Keeps the complete records up to <paramref name="step"/>; a last line cut off by a crash goes as well.</summary>
    private static void Truncate(string path, long step, bool keepStart = false)
    {
        if (!File.Exists(path))
            return;
        string temporary = path + ".tmp";
        File.WriteAllLines(
            temporary,
            step > 0 || keepStart ? File.ReadLines(path).Where(line => StepOf(line) <= step && !IsEnd(line)) : []
        );
        File.Move(temporary, path, overwrite: true);
    }

    private static StreamWriter Append(string path) =>
        new(new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.Read)) { AutoFlush = true };

    private static bool IsEnd(string line) => line.StartsWith("{\"kind\":\"end\"", StringComparison.Ordinal);

    private static long StepOf(string line)
    {
        try
        {
            using var record = JsonDocument.Parse(line);
            return record.RootElement.GetProperty("step").GetInt64();
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return long.MaxValue;
        }
    }

    private sealed class SecondsConverter : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TimeSpan.FromSeconds(reader.GetDouble());

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) =>
            writer.WriteNumberValue(value.TotalSeconds);
    }
}
