using System.Collections.ObjectModel;

namespace Uniscale.Telemetry.TensorBoard;

/// <summary>Losses, rates, speed and memory as TensorBoard curves.</summary>
public sealed class TensorBoardSink : ITelemetrySink
{
    private readonly string _directory;
    private EventFile _file;
    private string? _phase;

    /// <summary>Begins a file in <paramref name="directory"/>; a resumed run takes back what earlier files say of later steps.</summary>
    public TensorBoardSink(string directory, long resumedStep)
    {
        this._directory = directory;
        _file = Begin(resumedStep);
    }

    /// <inheritdoc/>
    public void Start(RunStart start) { }

    /// <inheritdoc/>
    public void Step(StepReport report)
    {
        if (report.Phase is { } name && name != _phase)
            _file.Text(report.Step, "phase", _phase = name);
        var scalars = new List<(string, double)>
        {
            ("train/loss", report.Loss),
            ("train/gradient_norm", report.GradientNorm),
            ("train/learning_rate", report.LearningRate),
            ("train/consumed_tokens", report.ConsumedTokens),
            ("train/skipped", report.SkippedCount),
            ("throughput/tokens_per_second", report.TokensPerSecond),
            ("throughput/model_flops", report.ModelFlops),
            ("memory/resident_bytes", report.MemoryBytes),
            ("time/step_seconds", report.Seconds),
        };
        if (report.DeviceMemoryBytes is { } device)
            scalars.Add(("memory/device_bytes", device));
        if (report.Mfu is { } mfu)
            scalars.Add(("throughput/mfu", mfu));
        if (report.Account is { } account)
            scalars.Add(("time/effective_share", account.EffectiveShare));
        foreach (var (measure, value) in report.Measures ?? new Dictionary<string, double>())
            scalars.Add(($"train/{measure}", value));
        foreach (var (part, bytes) in report.MemoryParts)
            scalars.Add(($"memory/{part}_bytes", bytes));
        Add("train/loss", report.DomainLosses);
        Add("mixture/fed", report.MixtureFed);
        Add("mixture/planned", report.MixturePlanned);
        foreach (var (kind, count) in report.BadSteps ?? new Dictionary<string, long>())
            scalars.Add(($"train/bad_steps/{kind}", count));
        foreach (var (part, seconds) in report.Parts)
            scalars.Add(($"time/{part}_seconds", seconds));
        _file.Scalars(report.Step, scalars);

        void Add(string group, IReadOnlyDictionary<string, double>? values)
        {
            foreach (var (name, value) in values ?? ReadOnlyDictionary<string, double>.Empty)
                scalars.Add(($"{group}/{name}", value));
        }
    }

    /// <inheritdoc/>
    public void Validation(ValidationReport report)
    {
        var scalars = new List<(string, double)> { ($"validation/{report.Name}/loss", report.Loss) };
        if (report.BitsPerByte is { } bits)
            scalars.Add(($"validation/{report.Name}/bits_per_byte", bits));
        foreach (var (name, value) in report.Measures ?? new Dictionary<string, double>())
            scalars.Add(($"validation/{report.Name}/{name}", value));
        _file.Scalars(report.Step, scalars);
    }

    /// <inheritdoc/>
    public void Evaluation(EvaluationReport report) =>
        _file.Scalars(report.Step, [.. report.Scores.Select(score => ($"evaluation/{report.Task}/{score.Key}", score.Value))]);

    /// <inheritdoc/>
    public void Note(Note note)
    {
        if (note.Level != NoteLevel.Information)
            _file.Text(note.Step, $"notes/{note.Kind}", note.Message);
    }

    /// <inheritdoc/>
    public void Sample(TextSample sample) => _file.Text(sample.Step, $"samples/{sample.Name}", sample.Text);

    /// <inheritdoc/>
    public void Histogram(HistogramReport report)
    {
        _file.Histogram(report.Step, report.Name, report.Values);
        if (report.Values.NotFiniteCount > 0)
            _file.Scalars(report.Step, ($"{report.Name}/not_finite", report.Values.NotFiniteCount));
    }

    /// <inheritdoc/>
    public void WentBack(long step)
    {
        _file.Dispose();
        _phase = null;
        _file = Begin(step);
    }

    /// <inheritdoc/>
    public void End(RunEnd end) { }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    /// <summary>
    /// A file for what comes after a step. A TensorBoard that has read the others already hears of it by the session's start.
    /// </summary>
    private EventFile Begin(long step)
    {
        EventRecords.KeepUntil(_directory, step);
        var begun = new EventFile(_directory);
        begun.SessionStart(step + 1);
        return begun;
    }
}
