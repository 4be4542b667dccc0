using System.Collections.ObjectModel;

namespace Uniscale.Dashboard.Reading;

/// <summary>What is kept of every step.</summary>
public enum Measure
{
    /// <summary>Mean loss of a token, in nats.</summary>
    Loss,

    /// <summary>Norm of the gradients before clipping.</summary>
    GradientNorm,

    /// <summary>Learning rate.</summary>
    LearningRate,

    /// <summary>Tokens a second, over all ranks.</summary>
    TokensPerSecond,

    /// <summary>Share of the peak, 0 to 1.</summary>
    Mfu,

    /// <summary>Resident bytes of rank 0's process.</summary>
    Memory,

    /// <summary>Bytes in use on rank 0's device.</summary>
    DeviceMemory,

    /// <summary>Seconds of the step.</summary>
    StepSeconds,

    /// <summary>Seconds that rank 0 waited for others.</summary>
    Waited,

    /// <summary>Share of the run's time in steps that count.</summary>
    EffectiveShare,
}

/// <summary>What stands before the names of a group of curves.</summary>
public static class NamedGroup
{
    /// <summary>Names of the groups: losses by domain, memory by part, shares of the mixture, what an objective measures.</summary>
    public const string DomainLoss = "loss/",
        Memory = "memory/",
        MixtureFed = "fed/",
        MixturePlanned = "planned/",
        Measure = "measure/";

    private static readonly string[] OfEveryRun = [DomainLoss, Memory, MixtureFed, MixturePlanned];

    /// <summary>Whether a name is of a group that runs of every objective may have.</summary>
    public static bool IsOfEveryRun(string name) => OfEveryRun.Any(group => name.StartsWith(group, StringComparison.Ordinal));
}

/// <summary>A validation, at a step.</summary>
/// <param name="Measures">What the objective measures besides its loss, by name; empty: nothing.</param>
public sealed record ValidationPoint(
    long Step,
    long Tokens,
    DateTimeOffset Time,
    string Name,
    string Domain,
    double Loss,
    double BitsPerByte,
    IReadOnlyDictionary<string, double> Measures
)
{
    /// <summary>Of a record.</summary>
    internal static ValidationPoint Of(MetricRecord record) =>
        new(
            record.Step,
            record.ConsumedTokens,
            record.Time,
            record.Name ?? "",
            record.Domain ?? "",
            record.Loss,
            record.BitsPerByte,
            record.Measures.Count == 0
                ? ReadOnlyDictionary<string, double>.Empty
                : new Dictionary<string, double>(record.Measures)
        );
}

/// <summary>The score of a task that counts, at a step.</summary>
public sealed record ScorePoint(long Step, string Task, string Metric, double Score);

/// <summary>Something that the run said.</summary>
/// <param name="Kind">A short word, e.g. <c>step-skipped</c>; <c>start</c> and <c>end</c> for its beginnings and ends.</param>
/// <param name="Level">information, warning or error.</param>
public sealed record RunRemark(long Step, DateTimeOffset Time, string Kind, string Level, string Message);

/// <summary>A stretch of steps of one phase.</summary>
/// <param name="First">Index of its first step.</param>
public sealed record PhaseSpan(string Name, int First);

/// <summary>The steps of a run in columns, in the order of the file, and what else it tells. Not for several threads at once.</summary>
public sealed class RunSeries
{
    private const int MostRemarks = 20_000,
        MostValidations = 200_000,
        MostPhases = 1_000,
        MostNames = 256;

    private readonly Column<float>[] _measures = [.. Enum.GetValues<Measure>().Select(_ => new Column<float>())];
    private readonly Dictionary<string, Column<float>> _named = new(StringComparer.Ordinal);
    private readonly Column<long> _steps = new(),
        _tokens = new(),
        _milliseconds = new();
    private readonly List<ValidationPoint> _validations = [];
    private readonly List<ScorePoint> _scores = [];
    private readonly List<RunRemark> _remarks = [];
    private readonly List<PhaseSpan> _phases = [];
    private string? _phase;

    /// <summary>Steps.</summary>
    public int Count => _steps.Count;

    /// <summary>Number of each step.</summary>
    public ReadOnlySpan<long> Steps => _steps.Values;

    /// <summary>Tokens of the run up to and with each step.</summary>
    public ReadOnlySpan<long> Tokens => _tokens.Values;

    /// <summary>Unix time of each step in milliseconds.</summary>
    public ReadOnlySpan<long> Milliseconds => _milliseconds.Values;

    /// <summary>A measure of each step; NaN where it was not told.</summary>
    public ReadOnlySpan<float> this[Measure measure] => _measures[(int)measure].Values;

    /// <summary>
    /// Names of what runs of some kinds tell besides, each behind the name of its group (<see cref="NamedGroup"/>), e.g. the loss by domain
    /// as <c>loss/NAME</c>.
    /// </summary>
    public IReadOnlyCollection<string> Names => _named.Keys;

    /// <summary>One of these, of each step; empty: there is none of the name.</summary>
    public ReadOnlySpan<float> Named(string name) => _named.TryGetValue(name, out var column) ? Filled(column) : [];

    /// <summary>Validations, in the order of the file.</summary>
    public IReadOnlyList<ValidationPoint> Validations => _validations;

    /// <summary>Scores of the tasks that the model was asked between steps, in the order of the file.</summary>
    public IReadOnlyList<ScorePoint> Scores => _scores;

    /// <summary>Remarks, in the order of the file; of very many the first are gone.</summary>
    public IReadOnlyList<RunRemark> Remarks => _remarks;

    /// <summary>Phases by their first steps.</summary>
    public IReadOnlyList<PhaseSpan> Phases => _phases;

    /// <summary>Lines that are no records.</summary>
    public long UnreadLines { get; internal set; }

    /// <summary>Adds a record.</summary>
    internal void Add(MetricRecord record)
    {
        switch (record.Kind)
        {
            case RecordKind.Step:
                AddStep(record);
                break;
            case RecordKind.Validation when _validations.Count < MostValidations:
                _validations.Add(ValidationPoint.Of(record));
                break;
            case RecordKind.Evaluation
                when _scores.Count < MostValidations && record is { IsPart: false, Task: { } task, Metric: { } metric }:
                _scores.Add(new ScorePoint(record.Step, task, metric, record.Scores.GetValueOrDefault(metric, double.NaN)));
                break;
            case RecordKind.Note:
                Remark(record, record.Note ?? "note", record.Level ?? "information", record.Message ?? "");
                break;
            case RecordKind.Start:
                Remark(record, "start", "information", record.Step > 0 ? $"Started again after step {record.Step}." : "Started.");
                break;
            case RecordKind.End:
                Remark(record, "end", "information", record.Message ?? "");
                break;
        }
    }

    private void AddStep(MetricRecord record)
    {
        if (record.Phase != _phase && record.Phase is not null && _phases.Count < MostPhases)
            _phases.Add(new PhaseSpan(record.Phase, Count));
        _phase = record.Phase;
        _steps.Add(record.Step);
        _tokens.Add(record.ConsumedTokens);
        _milliseconds.Add(record.Time.ToUnixTimeMilliseconds());
        ReadOnlySpan<double> values =
        [
            record.Loss,
            record.GradientNorm,
            record.LearningRate,
            record.TokensPerSecond,
            record.Mfu,
            record.MemoryBytes,
            record.DeviceMemoryBytes,
            record.Seconds,
            record.Waited,
            record.EffectiveShare,
        ];
        for (int i = 0; i < values.Length; i++)
            _measures[i].Add((float)values[i]);
        AddGroup(NamedGroup.DomainLoss, record.DomainLosses);
        AddGroup(NamedGroup.Memory, record.MemoryParts);
        AddGroup(NamedGroup.MixtureFed, record.MixtureFed);
        AddGroup(NamedGroup.MixturePlanned, record.MixturePlanned);
        AddGroup(NamedGroup.Measure, record.Measures);
    }

    private void AddGroup(string group, Dictionary<string, double> values)
    {
        foreach (var (name, value) in values)
            AddNamed(group + name, value);
    }

    private void AddNamed(string name, double value)
    {
        if (!_named.TryGetValue(name, out var column))
        {
            if (_named.Count == MostNames)
                return;
            _named[name] = column = new Column<float>();
        }
        column.FillTo(Count - 1, float.NaN);
        column.Add((float)value);
    }

    /// <summary>A column up to the last step: the latest may not have told it.</summary>
    private ReadOnlySpan<float> Filled(Column<float> column)
    {
        column.FillTo(Count, float.NaN);
        return column.Values;
    }

    private void Remark(MetricRecord record, string kind, string level, string message)
    {
        if (_remarks.Count == MostRemarks)
            _remarks.RemoveRange(0, MostRemarks / 2);
        _remarks.Add(new RunRemark(record.Step, record.Time, kind, level, message));
    }

    /// <summary>A list over whose values there is a span.</summary>
    private sealed class Column<T>
    {
        private T[] _values = new T[256];

        public int Count { get; private set; }

        public ReadOnlySpan<T> Values => _values.AsSpan(0, Count);

        public void Add(T value)
        {
            if (Count == _values.Length)
                Array.Resize(ref _values, Count * 2);
            _values[Count++] = value;
        }

        public void FillTo(int count, T value)
        {
            while (Count < count)
                Add(value);
        }
    }
}
