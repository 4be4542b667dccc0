namespace Uniscale.Telemetry;

/// <summary>
/// Receives what happens in a run, on the thread that trains: be quick. A sink may throw; <see cref="RunTelemetry"/> keeps
/// that away from training.
/// </summary>
public interface ITelemetrySink : IDisposable
{
    /// <summary>Training begins.</summary>
    void Start(RunStart start);

    /// <summary>A step is done.</summary>
    void Step(StepReport report);

    /// <summary>A validation source was judged.</summary>
    void Validation(ValidationReport report);

    /// <summary>The model was asked a task.</summary>
    void Evaluation(EvaluationReport report) { }

    /// <summary>Something else happened.</summary>
    void Note(Note note);

    /// <summary>A text that says something of the run, e.g. what a phase feeds.</summary>
    void Sample(TextSample sample) { }

    /// <summary>How numbers of the model are spread.</summary>
    void Histogram(HistogramReport report) { }

    /// <summary>
    /// The run went back: what was told of the steps after <paramref name="step"/> no longer holds, they will be told again.
    /// </summary>
    void WentBack(long step) { }

    /// <summary>Training is over.</summary>
    void End(RunEnd end);
}
