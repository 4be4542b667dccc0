using Serilog;
using Uniscale.Configuration.Loading;

namespace Uniscale.Telemetry;

/// <summary>Several sinks as one, which see no secrets. A sink that fails is warned about once, and never stops training.</summary>
public sealed class RunTelemetry : ITelemetrySink
{
    private readonly IReadOnlyList<ITelemetrySink> _sinks;
    private readonly HashSet<ITelemetrySink> _failed = [];

    /// <summary>Takes ownership of the sinks; failures are told by the others, or where none works by <paramref name="log"/>.</summary>
    public RunTelemetry(ILogger log, params IReadOnlyList<ITelemetrySink> sinks)
    {
        Log = log;
        this._sinks = sinks;
    }

    /// <summary>Log of this rank: logs/train-rankN.log, and the console where that is not a live view.</summary>
    public ILogger Log { get; }

    /// <inheritdoc/>
    public void Start(RunStart start)
    {
        var shown = start with { Name = Secrets.Mask(start.Name), RunDirectory = Secrets.Mask(start.RunDirectory) };
        Each(sink => sink.Start(shown));
    }

    /// <inheritdoc/>
    public void Step(StepReport report) => Each(sink => sink.Step(report));

    /// <inheritdoc/>
    public void Validation(ValidationReport report) => Each(sink => sink.Validation(report));

    /// <inheritdoc/>
    public void Evaluation(EvaluationReport report) => Each(sink => sink.Evaluation(report));

    /// <inheritdoc/>
    public void Note(Note note)
    {
        var shown = note with { Message = Secrets.Mask(note.Message) };
        Each(sink => sink.Note(shown));
    }

    /// <inheritdoc/>
    public void Sample(TextSample sample) => Each(sink => sink.Sample(sample));

    /// <inheritdoc/>
    public void Histogram(HistogramReport report) => Each(sink => sink.Histogram(report));

    /// <inheritdoc/>
    public void WentBack(long step) => Each(sink => sink.WentBack(step));

    /// <inheritdoc/>
    public void End(RunEnd end)
    {
        var shown = end with { Message = Secrets.Mask(end.Message) };
        Each(sink => sink.End(shown));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Each(sink => sink.Dispose());
        (Log as IDisposable)?.Dispose();
    }

    private void Each(Action<ITelemetrySink> action)
    {
        foreach (var sink in _sinks)
        {
            try
            {
                action(sink);
            }
            catch (Exception error)
            {
                Warn(sink, error);
            }
        }
    }

    /// <summary>Says once, through the sinks that still work, that one of them does not.</summary>
    private void Warn(ITelemetrySink sink, Exception error)
    {
        if (!_failed.Add(sink))
            return;
        string message = $"{sink.GetType().Name} failed ({error.Message}); training goes on, and further failures of it are not reported.";
        if (_sinks.All(_failed.Contains))
            Log.Warning("{Message:l}", message);
        foreach (var other in _sinks.Except(_failed).ToArray())
            Guarded(other, message);
    }

    private void Guarded(ITelemetrySink sink, string message)
    {
        try
        {
            sink.Note(new Note(0, "telemetry-failed", message, NoteLevel.Warning));
        }
        catch (Exception error)
        {
            Warn(sink, error);
        }
    }
}
