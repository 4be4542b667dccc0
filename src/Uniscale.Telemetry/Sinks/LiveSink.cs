using System.Globalization;
using Spectre.Console;
using Spectre.Console.Rendering;
using Uniscale.Telemetry.Curves;

namespace Uniscale.Telemetry.Sinks;

/// <summary>
/// A view that redraws in place: progress, loss curve, learning rate, speed, MFU, memory, time left, validation and the last notes.
/// It draws on its own thread at most ten times a second, so that training never waits for the terminal.
/// </summary>
/// <param name="console">Where it is drawn.</param>
/// <param name="style">What the curve is drawn with.</param>
/// <param name="earlier">Losses of the run before it was resumed, for the curve.</param>
public sealed class LiveSink(IAnsiConsole console, CurveStyle style = CurveStyle.Braille, IReadOnlyList<double>? earlier = null)
    : ITelemetrySink
{
    private const int NoteCount = 4;

    /// <summary>What is left out where the terminal is not as high, from all to the least.</summary>
    private static readonly Detail[] Details = [new(10, true, NoteCount), new(6, false, 2), new(3, false, 1)];

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly Lock _gate = new();
    private readonly LossHistory _history = LossHistory.After(earlier ?? []);
    private readonly Queue<Note> _notes = new();
    private readonly Dictionary<string, ValidationReport> _validations = new(StringComparer.Ordinal);
    private readonly Dictionary<string, EvaluationReport> _evaluations = new(StringComparer.Ordinal);
    private readonly ManualResetEventSlim _over = new();
    private RunStart? _start;
    private StepReport? _last;
    private Thread? _painter;
    private volatile bool _dirty;

    /// <inheritdoc/>
    public void Start(RunStart start)
    {
        lock (_gate)
            this._start = start;
        _painter = new Thread(Paint) { IsBackground = true, Name = "live view" };
        _painter.Start();
    }

    /// <inheritdoc/>
    public void Step(StepReport report)
    {
        lock (_gate)
        {
            _last = report;
            // A spike that was left out would flatten the rest of the curve.
            if (!report.Skipped)
                _history.Add(report.Loss);
        }
        _dirty = true;
    }

    /// <inheritdoc/>
    public void Validation(ValidationReport report)
    {
        lock (_gate)
            _validations[report.Name] = report;
        _dirty = true;
    }

    /// <inheritdoc/>
    public void Evaluation(EvaluationReport report)
    {
        // Parts stand in the metrics: an exam may have a hundred.
        if (report.IsPart)
            return;
        lock (_gate)
            _evaluations[report.Task] = report;
        _dirty = true;
    }

    /// <inheritdoc/>
    public void Note(Note note)
    {
        lock (_gate)
        {
            _notes.Enqueue(note);
            if (_notes.Count > NoteCount)
                _notes.Dequeue();
        }
        _dirty = true;
    }

    /// <inheritdoc/>
    public void End(RunEnd end)
    {
        Close();
        if (LineSink.FormatMemory(end) is { } memory)
            console.MarkupLineInterpolated($"{memory}");
        console.MarkupLineInterpolated(
            $"[bold]{(end.Finished ? "finished" : "stopped")}[/] at step {end.Step} after {Units.Duration(end.Elapsed)}: {end.Message}"
        );
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Close();
        _over.Dispose();
    }

    /// <summary>The picture as it is now, with as much as the terminal is high for.</summary>
    internal IRenderable View()
    {
        lock (_gate)
        {
            var options = RenderOptions.Create(console, console.Profile.Capabilities);
            var views = Details.Select(View);
            return views.FirstOrDefault(view => Height(view) < console.Profile.Height) ?? View(Details[^1]);

            int Height(IRenderable view) => Segment.SplitLines(view.Render(options, console.Profile.Width)).Count;
        }
    }

    private Panel View(Detail detail)
    {
        var parts = new List<IRenderable>();
        if (_last is { } report)
        {
            parts.Add(new Markup(Progress(report)));
            parts.Add(
                new Text(
                    LossCurve.Render(_history.Points, Math.Min(console.Profile.Width - 4, 100), detail.CurveHeight, style).TrimEnd('\n'),
                    new Style(Color.Aqua)
                )
            );
            parts.Add(Figures(report));
            if (report.DomainLosses is { Count: > 0 } domains)
                parts.Add(
                    new Text($"loss by domain: {Units.Named(domains, loss => loss.ToString("F4", CultureInfo.InvariantCulture))}")
                );
            if (detail.HasSources && report.MemoryParts.Count > 0)
                parts.Add(new Text($"memory: {Units.Named(report.MemoryParts, bytes => Units.Bytes(bytes))}", new Style(Color.Grey)));
            if (detail.HasSources && _start is not null)
                parts.Add(new Text(LineSink.FormatMfu(_start), new Style(Color.Grey)));
        }
        if (_validations.Count > 0)
            parts.Add(Validations());
        foreach (var evaluation in _evaluations.Values)
            parts.Add(new Text($"{evaluation.Task} at step {evaluation.Step}: {evaluation.Main}"));
        foreach (var note in _notes.TakeLast(detail.NoteCount))
            parts.Add(
                new Text(
                    note.Message,
                    note.Level switch
                    {
                        NoteLevel.Error => new Style(Color.Red),
                        NoteLevel.Warning => new Style(Color.Yellow),
                        _ => new Style(Color.Grey),
                    }
                )
            );
        string title = _start is { } run
            ? $"{run.Name} · {Units.Count(run.ParameterCount)} parameters · {run.Ranks} {(run.Ranks == 1 ? "rank" : "ranks")}{(run.ResumedStep > 0 ? $" · resumed after step {run.ResumedStep}" : "")}{(run.Restarts > 0 ? $" · {run.Restarts} {(run.Restarts == 1 ? "restart" : "restarts")}" : "")}"
            : "run";
        return new Panel(new Rows(parts))
        {
            Header = new PanelHeader(Markup.Escape(title)),
            Border = BoxBorder.Rounded,
            Expand = true,
        };
    }

    private void Paint() =>
        console
            .Live(View())
            .AutoClear(false)
            // What comes first says most.
            .Cropping(VerticalOverflowCropping.Bottom)
            .Start(context =>
            {
                while (!_over.Wait(Pause))
                {
                    if (!_dirty)
                        continue;
                    _dirty = false;
                    context.UpdateTarget(View());
                }
                context.UpdateTarget(View());
            });

    private void Close()
    {
        if (_painter is null)
            return;
        _over.Set();
        _painter.Join();
        _painter = null;
    }

    private string Progress(StepReport report)
    {
        int width = Math.Clamp(console.Profile.Width - 48, 10, 60);
        double share = report.TotalSteps > 0 ? Math.Clamp((double)report.Step / report.TotalSteps, 0, 1) : 0;
        int done = (int)Math.Round(share * width);
        string phase = report.Phase is { } name ? $" · phase {Markup.Escape(name)}" : "";
        string left = report.Remaining is { } remaining ? $" · {Units.Duration(remaining)} left" : "";
        string steps = report.TotalSteps > 0 ? $"{report.Step}/{report.TotalSteps}" : $"{report.Step}";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"[green]{new string('━', done)}[/][grey]{new string('─', width - done)}[/] {share * 100:F1}% · step {steps}{phase}{left}"
        );
    }

    private Grid Figures(StepReport report)
    {
        // Three columns fit into the 80 of a plain terminal.
        int columns = console.Profile.Width < 110 ? 3 : 4;
        (string Name, string Value)[] figures =
        [
            ("loss", report.Loss.ToString("F4", CultureInfo.InvariantCulture)),
            ("gradient norm", report.GradientNorm.ToString("F3", CultureInfo.InvariantCulture)),
            ("learning rate", report.LearningRate.ToString("0.00e-00", CultureInfo.InvariantCulture)),
            ("tokens", Units.Count(report.ConsumedTokens)),
            ("tokens/s", report.TokensPerSecond.ToString("F0", CultureInfo.InvariantCulture)),
            ("model", Units.Flops(report.ModelFlops)),
            ("MFU", Units.Mfu(report.Mfu)),
            ("memory", Units.Bytes(report.DeviceMemoryBytes ?? report.MemoryBytes)),
        ];
        var grid = new Grid();
        for (int column = 0; column < columns; column++)
            grid.AddColumn(new GridColumn().NoWrap().PadRight(4));
        foreach (var row in figures.Chunk(columns))
            grid.AddRow([.. row.Select(figure => new Markup($"[grey]{figure.Name}[/] {Markup.Escape(figure.Value)}"))]);
        return grid;
    }

    private Table Validations()
    {
        var table = new Table { Border = TableBorder.Minimal };
        table.AddColumns("validation", "domain", "step", "loss", "bits/byte");
        foreach (var report in _validations.Values)
            table.AddRow(
                Markup.Escape(report.Name),
                Markup.Escape(report.Domain),
                report.Step.ToString(CultureInfo.InvariantCulture),
                report.Loss.ToString("F4", CultureInfo.InvariantCulture),
                report.BitsPerByte?.ToString("F4", CultureInfo.InvariantCulture) ?? "n/a"
            );
        return table;
    }

    /// <summary>How much of the picture is drawn.</summary>
    /// <param name="CurveHeight">Lines of the loss curve.</param>
    /// <param name="HasSources">With memory by part, and how MFU is counted.</param>
    /// <param name="NoteCount">Notes, the latest.</param>
    private readonly record struct Detail(int CurveHeight, bool HasSources, int NoteCount);
}
