using Serilog;
using Serilog.Core;
using Serilog.Events;
using Spectre.Console;
using Uniscale.Configuration;
using Uniscale.Telemetry.Curves;
using Uniscale.Telemetry.Export;
using Uniscale.Telemetry.Sinks;
using Uniscale.Telemetry.TensorBoard;

namespace Uniscale.Telemetry;

/// <summary>Opens the telemetry of a rank: everything on rank 0, the log file alone elsewhere.</summary>
public static class TelemetryFactory
{
    /// <summary>Name of the metrics file within a run directory.</summary>
    public const string MetricsFileName = "metrics.jsonl";

    /// <summary>Name of the folder of event files in a run's directory.</summary>
    public const string TensorBoardFolder = "tensorboard";

    /// <summary>The log file of a rank.</summary>
    public static string LogFile(string runDirectory, int rank) => Path.Combine(runDirectory, "logs", $"train-rank{rank}.log");

    /// <summary>
    /// Opens telemetry in <paramref name="runDirectory"/>. <paramref name="resumedStep"/>: records of later steps are dropped, so that the
    /// curve has no duplicates; 0 begins anew. The view is live where the output is a terminal, and plain lines elsewhere.
    /// </summary>
    /// <param name="section">What is printed and written.</param>
    /// <param name="runDirectory">Directory of the run.</param>
    /// <param name="rank">The rank.</param>
    /// <param name="resumedStep">Step that the run continues after.</param>
    /// <param name="export">What monitoring is told; null: nothing.</param>
    public static RunTelemetry Open(
        LoggingSection section,
        string runDirectory,
        int rank,
        long resumedStep,
        TelemetrySection? export = null
    )
    {
        bool live = rank == 0 && IsInteractive();
        var log = CreateLog(LogFile(runDirectory, rank), console: rank == 0 && !live);
        if (rank != 0)
            return new RunTelemetry(log);
        string metrics = Path.Combine(runDirectory, MetricsFileName);
        var problems = new List<string>();
        var earlier = Guarded(problems, () => MetricsSink.Losses(metrics, resumedStep)) ?? [];
        var sinks = new List<ITelemetrySink> { new LineSink(log, section.Every, Style, earlier) };
        if (live)
            sinks.Add(new LiveSink(AnsiConsole.Console, Style, earlier));
        sinks.AddRange(
            new ITelemetrySink?[]
            {
                Guarded(problems, () => new MetricsSink(metrics, resumedStep)),
                section.TensorBoard
                    ? Guarded(problems, () => new TensorBoardSink(Path.Combine(runDirectory, TensorBoardFolder), resumedStep))
                    : null,
                export is null
                    ? null
                    : ExportSink.Open(
                        export,
                        Path.GetFileName(Path.TrimEndingDirectorySeparator(runDirectory)),
                        rank,
                        message => log.Warning("{Message:l}", message)
                    ),
            }.OfType<ITelemetrySink>()
        );
        var telemetry = new RunTelemetry(log, sinks);
        foreach (string problem in problems)
            telemetry.Note(new Note(resumedStep, "telemetry-failed", problem, NoteLevel.Warning));
        return telemetry;
    }

    /// <summary>A log that goes to <paramref name="file"/> and, where asked for, to the console (messages alone).</summary>
    public static Logger CreateLog(string file, bool console)
    {
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Information()
            .WriteTo.File(new MaskingFormatter("{Timestamp:yyyy-MM-dd HH:mm:ss.fff} {Level:u3} {Message:lj}{NewLine}{Exception}"), file);
        if (console)
            configuration.WriteTo.Console(new MaskingFormatter("{Message:lj}{NewLine}"), standardErrorFromLevel: LogEventLevel.Error);
        return configuration.CreateLogger();
    }

    private static CurveStyle Style => Console.OutputEncoding.WebName == "utf-8" ? CurveStyle.Braille : CurveStyle.Ascii;

    /// <summary>A terminal that can redraw; <c>UNISCALE_PLAIN=1</c> forces plain lines.</summary>
    private static bool IsInteractive() =>
        !Console.IsOutputRedirected
        && AnsiConsole.Profile.Capabilities.Ansi
        && Environment.GetEnvironmentVariable("UNISCALE_PLAIN") is null or "" or "0"
        && Environment.GetEnvironmentVariable("TERM") is not ("dumb" or null);

    /// <summary>What <paramref name="open"/> gives, or null and a sentence where the file system refuses it.</summary>
    private static T? Guarded<T>(List<string> problems, Func<T> open)
        where T : class
    {
        try
        {
            return open();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            problems.Add($"Telemetry cannot be opened ({error.Message}); training goes on without it.");
            return null;
        }
    }
}
