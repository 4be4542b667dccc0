using Uniscale.Configuration;

namespace Uniscale.Telemetry.Export;

/// <summary>Takes news of a run, on the exporters' thread.</summary>
internal interface INewsReader : IDisposable
{
    /// <summary>
    /// Takes a <see cref="RunStart"/>, <see cref="StepReport"/>, <see cref="ValidationReport"/>, <see cref="EvaluationReport"/>,
    /// <see cref="Note"/> or <see cref="RunEnd"/>.
    /// </summary>
    void Take(object news);
}

/// <summary>
/// Tells monitoring of the run. On the thread that trains it writes a reference to a ring and does nothing else; a thread of low priority
/// reads it twice a
/// second. Whatever a reader does, training neither waits nor fails: one that throws is told of once and left out.
/// </summary>
internal sealed class ExportSink : ITelemetrySink
{
    private const int RingSize = 4_096;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the end of the run waits for readers, of whom one may be waiting for a collector that is not there.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private readonly NewsRing _ring = new(RingSize);

    // No spinning: it waits for half a second each time.
    private readonly ManualResetEventSlim _over = new(initialState: false, spinCount: 0);
    private readonly List<INewsReader> _readers;
    private readonly Action<string> _complain;
    private readonly Thread _thread;

    /// <param name="readers">Who is told; they are disposed on their thread.</param>
    /// <param name="complain">Takes sentences about readers that fail, on their thread.</param>
    public ExportSink(IEnumerable<INewsReader> readers, Action<string> complain)
    {
        (_readers, _complain) = ([.. readers], complain);
        _thread = new Thread(Work)
        {
            IsBackground = true,
            Name = ThreadName,
            Priority = ThreadPriority.BelowNormal,
        };
        _thread.Start();
    }

    /// <summary>Opens what a section asks for; null: it asks for nothing.</summary>
    /// <param name="section">Where news go.</param>
    /// <param name="run">Name of the run.</param>
    /// <param name="rank">The rank that tells.</param>
    /// <param name="complain">Takes sentences about what could not be opened, or fails.</param>
    public static ExportSink? Open(TelemetrySection section, string run, int rank, Action<string> complain)
    {
        var meters = new RunMeters(rank);
        List<INewsReader> readers = [.. MetricExporters.Open(section, run, meters.Meter, complain)];
        if (readers.Count > 0)
            readers.Insert(0, meters);
        else
            meters.Dispose();
        if (Notifier.IsWanted(section.Notify))
            readers.Add(new Notifier(section.Notify, run, complain));
        return readers.Count > 0 ? new ExportSink(readers, complain) : null;
    }

    /// <summary>Name of the thread, by which its time is counted.</summary>
    public const string ThreadName = "exporters";

    /// <summary>News that no reader has heard, because they came too fast.</summary>
    public long Dropped => _ring.Dropped;

    /// <inheritdoc/>
    public void Start(RunStart start) => _ring.Write(start);

    /// <inheritdoc/>
    public void Step(StepReport report) => _ring.Write(report);

    /// <inheritdoc/>
    public void Validation(ValidationReport report) => _ring.Write(report);

    /// <inheritdoc/>
    public void Evaluation(EvaluationReport report) => _ring.Write(report);

    /// <inheritdoc/>
    public void Note(Note note) => _ring.Write(note);

    /// <inheritdoc/>
    public void End(RunEnd end) => _ring.Write(end);

    /// <inheritdoc/>
    public void Dispose()
    {
        _over.Set();
        // A thread that still waits for a collector ends with the process.
        _thread.Join(Patience);
    }

    private void Work()
    {
        while (!_over.Wait(Pause))
            Drain();
        Drain();
        // Exporters first: what they have not sent yet goes with the instruments.
        foreach (var reader in Enumerable.Reverse(_readers.ToArray()))
            Guarded(reader, reader, static (reader, _) => reader.Dispose());
    }

    private void Drain()
    {
        while (_ring.Read() is { } news)
            for (int i = 0; i < _readers.Count;)
                if (Guarded(_readers[i], news, static (reader, news) => reader.Take(news)))
                    i++;
    }

    /// <summary>Whether the reader did it: one that failed is left out.</summary>
    private bool Guarded(INewsReader reader, object news, Action<INewsReader, object> action)
    {
        try
        {
            action(reader, news);
            return true;
        }
        catch (Exception error)
        {
            _readers.Remove(reader);
            _complain($"{reader.GetType().Name} failed ({error.Message}); training goes on without it.");
            return false;
        }
    }
}
