using System.Globalization;
using System.Text;
using Uniscale.Configuration;
using Uniscale.Dashboard.Parts;
using Uniscale.Dashboard.Reading;
using Uniscale.Dashboard.Safety;
using Uniscale.Telemetry;

namespace Uniscale.Cli.Commands;

/// <summary>
/// <c>uniscale status --watch</c>: a run as it goes on, from the ends of its files, so that a long one costs no more to watch than a short
/// one.
/// </summary>
internal static class StatusWatch
{
    private const int Columns = 80,
        MostSources = 8;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    /// <summary>Watches a run until it ends.</summary>
    /// <exception cref="UserErrorException">There is no run.</exception>
    public static int Run(string directory, TextWriter output)
    {
        var catalog = Directory.Exists(directory) ? new RunCatalog(new RunsFolder(directory)) : null;
        if (catalog?.Only() is not { } run)
            throw new UserErrorException($"There is no run in {directory}: name the directory of one, for example runs/quickstart.");
        bool isPicture =
            ReferenceEquals(output, Console.Out)
            && !Console.IsOutputRedirected
            && Environment.GetEnvironmentVariable("TERM") is not (null or "dumb")
            && Environment.GetEnvironmentVariable("UNISCALE_PLAIN") is null or "" or "0";
        for (string last = ""; ;)
        {
            var summary = catalog.Summary(run);
            string text = isPicture ? Picture(run, summary) : Line(summary);
            if (text != last)
                output.Write(isPicture ? $"\e[H\e[2J{text}" : $"{text}\n");
            output.Flush();
            last = text;
            if (summary.State is not (RunState.Running or RunState.Standing))
                return 0;
            Thread.Sleep(Pause);
        }
    }

    /// <summary>One line, for a pipe.</summary>
    internal static string Line(RunSummary run)
    {
        var line = new StringBuilder();
        line.Append(
            CultureInfo.InvariantCulture,
            $"{run.State.ToString().ToLowerInvariant()} step {run.Step}{(run.TotalSteps > 0 ? $"/{run.TotalSteps}" : "")}"
        );
        if (run.Phase is { } phase)
            line.Append(" | phase ").Append(phase);
        line.Append(
            CultureInfo.InvariantCulture,
            $" | loss {Show.Odd(run.Loss)} | {Show.Number(run.TokensPerSecond, "N0")} tok/s | mfu {Show.Share(run.Mfu)} | effective {Show.Share(run.EffectiveShare)} | restarts {run.Restarts}"
        );
        foreach (var (domain, loss) in run.DomainLosses.Take(MostSources))
            line.Append(CultureInfo.InvariantCulture, $" | loss/{domain} {Show.Odd(loss)}");
        foreach (var point in run.Validations.Values.Take(MostSources))
            line.Append(CultureInfo.InvariantCulture, $" | validation/{point.Name} {Show.Odd(point.Loss)}");
        foreach (var point in run.Scores.Values.Take(MostSources))
            line.Append(CultureInfo.InvariantCulture, $" | {point.Task} {point.Metric} {Show.Odd(point.Score)}");
        return line.ToString();
    }

    /// <summary>Lines of at most 80 columns, without colour.</summary>
    internal static string Picture(FoundFolder folder, RunSummary run)
    {
        var text = new StringBuilder();
        void Add(string name, string value) => text.Append(Cut($"{name,-14}{value}")).Append('\n');
        const int bar = 40;
        int done = (int)Math.Round((run.Progress ?? 0) * bar);
        Add("run", folder.Name);
        Add("state", run.State.ToString().ToLowerInvariant());
        Add(
            "step",
            $"{Show.Whole(run.Step)}{(run.TotalSteps > 0 ? $" of {Show.Whole(run.TotalSteps)}  [{new string('#', done)}{new string('.', bar - done)}]" : "")}"
        );
        Add("tokens", Show.Whole(run.ConsumedTokens));
        if (run.Phase is { } phase)
            Add("phase", phase);
        Add("loss", Show.Odd(run.Loss));
        foreach (var (domain, loss) in run.DomainLosses.Take(MostSources))
            Add($"  {domain}", Show.Odd(loss));
        foreach (var point in run.Validations.Values.Take(MostSources))
            Add("validation", $"{point.Name} {Show.Odd(point.Loss)} at step {point.Step}");
        foreach (var point in run.Scores.Values.Take(MostSources))
            Add($"  {point.Task}", $"{point.Metric} {Show.Odd(point.Score)} at step {point.Step}");
        Add("gradient norm", run.Loss is null ? Show.Nothing : Show.Odd(run.GradientNorm, "F3"));
        Add("learning rate", Show.Number(run.LearningRate, "0.00e-00"));
        Add("speed", $"{Show.Number(run.TokensPerSecond, "N0")} tokens/s, MFU {Show.Share(run.Mfu)}");
        Add("memory", Show.Bytes(run.MemoryBytes));
        Add("effective", Show.Share(run.EffectiveShare));
        Add("restarts", $"{run.Restarts}, steps left out {run.SkippedCount}, rollbacks {run.Rollbacks}");
        Add("checkpoint", run.CheckpointStep is { } step ? $"step {Show.Whole(step)}" : "none yet");
        Add("layout", run.Layout);
        Add("left", Show.Seconds(run.Remaining));
        if (run.LastFault is { } fault)
            Add("last fault", fault);
        if (run.Ending is { } ending)
            Add("end", ending);
        return text.ToString();
    }

    private static string Cut(string line) => line.Length <= Columns ? line : line[..(Columns - 1)] + "…";
}
