using System.Globalization;
using System.Text.Json;

namespace Uniscale.Dashboard.Reading;

/// <summary>What a record of metrics.jsonl tells of.</summary>
internal enum RecordKind
{
    Other,
    Start,
    Step,
    Validation,
    Evaluation,
    Note,
    End,
}

/// <summary>
/// A record of metrics.jsonl, of any kind; a field that it lacks, or that is not what it should be, is NaN, 0 or null. One object is filled
/// again and again.
/// </summary>
internal sealed class MetricRecord
{
    private readonly TextPool _texts = new();

    public RecordKind Kind { get; private set; }

    public DateTimeOffset Time { get; private set; }

    public long Step { get; private set; }

    public long TotalSteps { get; private set; }

    public long TotalTokens { get; private set; }

    public long ConsumedTokens { get; private set; }

    public double Loss { get; private set; }

    public double GradientNorm { get; private set; }

    public double LearningRate { get; private set; }

    public double Seconds { get; private set; }

    public double Waited { get; private set; }

    public double TokensPerSecond { get; private set; }

    public double Mfu { get; private set; }

    public double MemoryBytes { get; private set; }

    public double DeviceMemoryBytes { get; private set; }

    public double EffectiveShare { get; private set; }

    public double BitsPerByte { get; private set; }

    public double Remaining { get; private set; }

    public double Elapsed { get; private set; }

    public long ParameterCount { get; private set; }

    public long Ranks { get; private set; }

    public long SkippedCount { get; private set; }

    public long Rollbacks { get; private set; }

    public bool Skipped { get; private set; }

    public bool Finished { get; private set; }

    public string? Phase { get; private set; }

    public string? Name { get; private set; }

    public string? Domain { get; private set; }

    public string? Layout { get; private set; }

    public string? Note { get; private set; }

    public string? Message { get; private set; }

    public string? Level { get; private set; }

    public string? Task { get; private set; }

    public string? Metric { get; private set; }

    public bool IsPart { get; private set; }

    /// <summary>Scores of a task by metric.</summary>
    public Dictionary<string, double> Scores { get; } = [];

    /// <summary>Loss of this step by domain, where the run tells it.</summary>
    public Dictionary<string, double> DomainLosses { get; } = [];

    /// <summary>Bytes of resident memory by what they are for.</summary>
    public Dictionary<string, double> MemoryParts { get; } = [];

    /// <summary>Share of the phase's tokens until now by source.</summary>
    public Dictionary<string, double> MixtureFed { get; } = [];

    /// <summary>Share that the mixture gives a source.</summary>
    public Dictionary<string, double> MixturePlanned { get; } = [];

    /// <summary>What an objective measures besides its loss, e.g. <c>objective/kl</c>, of a step or a validation.</summary>
    public Dictionary<string, double> Measures { get; } = [];

    /// <summary>Reads a line.</summary>
    /// <returns>False: it is no record.</returns>
    public bool Read(ReadOnlySpan<byte> line)
    {
        Clear();
        var reader = new Utf8JsonReader(line);
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
                return false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                Take(ref reader);
            return Kind != RecordKind.Other && reader.TokenType == JsonTokenType.EndObject && !reader.Read();
        }
        catch (Exception error)
            when (error is JsonException or InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            // Half written, edited, or no UTF-8.
            return false;
        }
    }

    private void Clear()
    {
        Kind = RecordKind.Other;
        Time = default;
        Step = TotalSteps = TotalTokens = ConsumedTokens = ParameterCount = Ranks = SkippedCount = Rollbacks = 0;
        Loss =
            GradientNorm =
            LearningRate =
            Seconds =
            Waited =
            TokensPerSecond =
            Mfu =
            MemoryBytes =
            DeviceMemoryBytes =
            EffectiveShare =
                double.NaN;
        BitsPerByte = Remaining = Elapsed = double.NaN;
        Skipped = Finished = IsPart = false;
        Phase = Name = Domain = Layout = Note = Message = Level = Task = Metric = null;
        Scores.Clear();
        DomainLosses.Clear();
        MemoryParts.Clear();
        MixtureFed.Clear();
        MixturePlanned.Clear();
        Measures.Clear();
    }

    private void Take(ref Utf8JsonReader reader)
    {
        var name = reader.ValueSpan;
        if (name.SequenceEqual("account"u8))
            TakeAccount(ref reader);
        else if (name.SequenceEqual("parts"u8))
            TakeParts(ref reader);
        else if (name.SequenceEqual("domain_losses"u8))
            JsonFields.Numbers(ref reader, DomainLosses);
        else if (name.SequenceEqual("memory_parts"u8))
            JsonFields.Numbers(ref reader, MemoryParts);
        else if (name.SequenceEqual("mixture_fed"u8))
            JsonFields.Numbers(ref reader, MixtureFed);
        else if (name.SequenceEqual("mixture_planned"u8))
            JsonFields.Numbers(ref reader, MixturePlanned);
        else if (name.SequenceEqual("scores"u8))
            JsonFields.Numbers(ref reader, Scores);
        else if (name.SequenceEqual("measures"u8))
            JsonFields.Numbers(ref reader, Measures);
        else
        {
            reader.Read();
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
                reader.Skip();
            else
                Assign(name, ref reader);
        }
    }

    private void Assign(ReadOnlySpan<byte> key, ref Utf8JsonReader reader) =>
        _ =
            AssignNumber(key, ref reader)
            || AssignCount(key, ref reader)
            || AssignText(key, ref reader)
            || AssignRest(key, ref reader);

    private bool AssignNumber(ReadOnlySpan<byte> key, ref Utf8JsonReader reader)
    {
        switch (key.Length)
        {
            case 3 when key.SequenceEqual("mfu"u8):
                Mfu = JsonFields.Number(ref reader);
                return true;
            case 4 when key.SequenceEqual("loss"u8):
                Loss = JsonFields.Number(ref reader);
                return true;
            case 7 when key.SequenceEqual("elapsed"u8):
                Elapsed = JsonFields.Number(ref reader);
                return true;
            case 7 when key.SequenceEqual("seconds"u8):
                Seconds = JsonFields.Number(ref reader);
                return true;
            case 9 when key.SequenceEqual("remaining"u8):
                Remaining = JsonFields.Number(ref reader);
                return true;
            case 12 when key.SequenceEqual("memory_bytes"u8):
                MemoryBytes = JsonFields.Number(ref reader);
                return true;
            case 13 when key.SequenceEqual("bits_per_byte"u8):
                BitsPerByte = JsonFields.Number(ref reader);
                return true;
            case 13 when key.SequenceEqual("gradient_norm"u8):
                GradientNorm = JsonFields.Number(ref reader);
                return true;
            case 13 when key.SequenceEqual("learning_rate"u8):
                LearningRate = JsonFields.Number(ref reader);
                return true;
            case 17 when key.SequenceEqual("tokens_per_second"u8):
                TokensPerSecond = JsonFields.Number(ref reader);
                return true;
            case 19 when key.SequenceEqual("device_memory_bytes"u8):
                DeviceMemoryBytes = JsonFields.Number(ref reader);
                return true;
            default:
                return false;
        }
    }

    private bool AssignCount(ReadOnlySpan<byte> key, ref Utf8JsonReader reader)
    {
        switch (key.Length)
        {
            case 4 when key.SequenceEqual("step"u8):
                Step = JsonFields.Whole(ref reader);
                return true;
            case 5 when key.SequenceEqual("ranks"u8):
                Ranks = JsonFields.Whole(ref reader);
                return true;
            case 9 when key.SequenceEqual("rollbacks"u8):
                Rollbacks = JsonFields.Whole(ref reader);
                return true;
            case 11 when key.SequenceEqual("total_steps"u8):
                TotalSteps = JsonFields.Whole(ref reader);
                return true;
            case 12 when key.SequenceEqual("total_tokens"u8):
                TotalTokens = JsonFields.Whole(ref reader);
                return true;
            case 13 when key.SequenceEqual("skipped_count"u8):
                SkippedCount = JsonFields.Whole(ref reader);
                return true;
            case 15 when key.SequenceEqual("consumed_tokens"u8):
                ConsumedTokens = JsonFields.Whole(ref reader);
                return true;
            case 15 when key.SequenceEqual("parameter_count"u8):
                ParameterCount = JsonFields.Whole(ref reader);
                return true;
            default:
                return false;
        }
    }

    private bool AssignText(ReadOnlySpan<byte> key, ref Utf8JsonReader reader)
    {
        switch (key.Length)
        {
            case 4 when key.SequenceEqual("name"u8):
                Name = _texts.Text(ref reader);
                return true;
            case 4 when key.SequenceEqual("note"u8):
                Note = _texts.Text(ref reader);
                return true;
            case 4 when key.SequenceEqual("task"u8):
                Task = _texts.Text(ref reader);
                return true;
            case 5 when key.SequenceEqual("level"u8):
                Level = _texts.Text(ref reader);
                return true;
            case 5 when key.SequenceEqual("phase"u8):
                Phase = _texts.Text(ref reader);
                return true;
            case 6 when key.SequenceEqual("domain"u8):
                Domain = _texts.Text(ref reader);
                return true;
            case 6 when key.SequenceEqual("layout"u8):
                Layout = _texts.Text(ref reader);
                return true;
            case 6 when key.SequenceEqual("metric"u8):
                Metric = _texts.Text(ref reader);
                return true;
            case 7 when key.SequenceEqual("message"u8):
                Message = _texts.Text(ref reader);
                return true;
            default:
                return false;
        }
    }

    private bool AssignRest(ReadOnlySpan<byte> key, ref Utf8JsonReader reader)
    {
        switch (key.Length)
        {
            case 4 when key.SequenceEqual("kind"u8):
                Kind = KindOf(reader.ValueSpan);
                return true;
            case 4 when key.SequenceEqual("time"u8):
                Time = JsonFields.Time(ref reader);
                return true;
            case 7 when key.SequenceEqual("is_part"u8):
                IsPart = reader.TokenType == JsonTokenType.True;
                return true;
            case 7 when key.SequenceEqual("skipped"u8):
                Skipped = reader.TokenType == JsonTokenType.True;
                return true;
            case 8 when key.SequenceEqual("finished"u8):
                Finished = reader.TokenType == JsonTokenType.True;
                return true;
            default:
                return false;
        }
    }

    private void TakeAccount(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isShare = reader.ValueTextEquals("effective_share"u8);
            reader.Read();
            if (isShare)
                EffectiveShare = JsonFields.Number(ref reader);
            else
                reader.Skip();
        }
    }

    private void TakeParts(ref Utf8JsonReader reader)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            return;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isWait = reader.ValueTextEquals("wait"u8);
            reader.Read();
            if (isWait)
                Waited = JsonFields.Number(ref reader);
            else
                reader.Skip();
        }
    }

    private static RecordKind KindOf(ReadOnlySpan<byte> word) =>
        word.SequenceEqual("step"u8) ? RecordKind.Step
        : word.SequenceEqual("note"u8) ? RecordKind.Note
        : word.SequenceEqual("validation"u8) ? RecordKind.Validation
        : word.SequenceEqual("evaluation"u8) ? RecordKind.Evaluation
        : word.SequenceEqual("start"u8) ? RecordKind.Start
        : word.SequenceEqual("end"u8) ? RecordKind.End
        : RecordKind.Other;

    /// <summary>Line for a log, in one order whatever the file says.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Kind} {Step} {Message}");
}
