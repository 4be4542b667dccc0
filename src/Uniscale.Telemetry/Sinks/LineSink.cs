using System.Globalization;
using System.Text;
using Serilog;
using Serilog.Events;
using Uniscale.Telemetry.Curves;

namespace Uniscale.Telemetry.Sinks;

/// <summary>
/// One line a step, for logs and for outputs that are no terminal:
/// <c>step 10/500 | loss 7.1234 | grad 1.23 | lr 3.00e-04 | 1234 tok/s | …</c>.
/// </summary>
/// <param name="log">Where the lines go.</param>
/// <param name="every">Steps between lines; the first and the last step always have one.</param>
/// <param name="style">What the curve at the end is drawn with.</param>
/// <param name="earlier">Losses of the run before it was resumed, for the curve.</param>
public sealed class LineSink(ILogger log, int every, CurveStyle style = CurveStyle.Braille, IReadOnlyList<double>? earlier = null)
    : ITelemetrySink
{
    /// <summary>Beginnings of the names of measures that a line leaves out.</summary>
    private static readonly string[] Details = ["loss/", "policy/", "rollout/", "val/", "frac_", "objective/beta", "answer/distinct"];

    private const int CurveWidth = 72;
    private const int CurveHeight = 10;

    private readonly LossHistory _history = LossHistory.After(earlier ?? []);
    private StepReport? _unprinted;

    /// <inheritdoc/>
    public void Start(RunStart start)
    {
        Write(
            $"run {start.Name} in {start.RunDirectory}: {Units.Count(start.ParameterCount)} parameters, {start.Ranks} {(start.Ranks == 1 ? "rank" : "ranks")}{(start.Layout.Length > 0 ? $" ({start.Layout})" : "")}"
        );
        if (start.ResumedStep > 0)
            Write($"resumed after step {start.ResumedStep}");
        Write(FormatMfu(start));
        if (start.StartupSeconds.Count > 0)
            Write(
                "start: "
                    + string.Join(
                        ", ",
                        start.StartupSeconds.Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Key} {part.Value:F2} s"))
                    )
            );
    }

    /// <inheritdoc/>
    public void Step(StepReport report)
    {
        // A spike that was left out would flatten the rest of the curve.
        if (!report.Skipped)
            _history.Add(report.Loss);
        _unprinted = report;
        if (report.Step == 1 || report.Step % every == 0 || report.Step == report.TotalSteps || report.Skipped)
            Print();
    }

    /// <inheritdoc/>
    public void Validation(ValidationReport report)
    {
        string bits = report.BitsPerByte is { } known ? string.Create(CultureInfo.InvariantCulture, $" | {known:F4} bits/byte") : "";
        Write(
            string.Create(
                CultureInfo.InvariantCulture,
                $"validation at step {report.Step} | {report.Name} | loss {report.Loss:F4}{bits} | perplexity {report.Perplexity:F2} | {report.Tokens} tokens{FormatMeasures(report.Measures)}"
            )
        );
    }

    /// <inheritdoc/>
    public void Evaluation(EvaluationReport report)
    {
        // Parts stand in the metrics: an exam may have a hundred.
        if (!report.IsPart)
            Write($"{report.Task} at step {report.Step} | {report.Main} | {report.Questions} questions | {report.Method}");
    }

    /// <inheritdoc/>
    public void Note(Note note)
    {
        var level = note.Level switch
        {
            NoteLevel.Error => LogEventLevel.Error,
            NoteLevel.Warning => LogEventLevel.Warning,
            _ => LogEventLevel.Information,
        };
        log.Write(level, "{Line:l}", note.Message);
    }

    /// <inheritdoc/>
    public void End(RunEnd end)
    {
        Print();
        string curve = LossCurve.Render(_history.Points, CurveWidth, CurveHeight, style);
        if (_history.Points.Count > 1)
            Write("loss\n" + curve.TrimEnd('\n'));
        if (FormatBadSteps(end) is { } bad)
            Write(bad);
        if (end.Account is { } account)
            Write(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"time: {account.Effective:F1} s of {account.Total - account.Standing:F1} s in steps that count ({account.EffectiveShare:P1}); lost to {account.Losses()}"
                )
            );
        if (FormatMemory(end) is { } memory)
            Write(memory);
        Write($"{(end.Finished ? "finished" : "stopped")} at step {end.Step} after {Units.Duration(end.Elapsed)}: {end.Message}");
    }

    /// <inheritdoc/>
    public void Dispose() { }

    /// <summary>What MFU means in this run: formula, operations of a token, peak and where it comes from.</summary>
    public static string FormatMfu(RunStart start)
    {
        string peak = start.PeakFlops is { } known ? Units.Flops(known) : "n/a";
        return $"MFU = tokens/s × FLOP a token / peak; FLOP a token = {start.FlopsFormula} = {Units.Count(start.FlopsPerToken)}; peak = {peak} ({start.PeakSource})";
    }

    /// <summary>What went wrong in a run; null: nothing.</summary>
    public static string? FormatBadSteps(RunEnd end)
    {
        if (end.BadSteps is not { Count: > 0 } bad)
            return null;
        return $"bad steps: {string.Join(", ", bad.Select(kind => $"{kind.Value} {kind.Key}"))}; rollbacks: {end.Rollbacks}; the data of {end.SkippedCount} steps is not in the weights";
    }

    /// <summary>Predicted and measured peak memory; null: it was not measured.</summary>
    public static string? FormatMemory(RunEnd end)
    {
        if (end.Memory is not { } memory)
            return null;
        string predicted = memory.PredictedBytes is { } bytes
            ? string.Create(
                CultureInfo.InvariantCulture,
                $", predicted {Units.Bytes(bytes)} ({(double)bytes / memory.MeasuredBytes - 1:+0.0%;-0.0%})"
            )
            : "";
        return $"peak memory: {Units.Bytes(memory.MeasuredBytes)} measured{predicted}, in the heaviest process (rank {memory.Rank})";
    }

    /// <summary>The line of a step.</summary>
    public static string Format(StepReport report)
    {
        var line = new StringBuilder();
        line.Append(CultureInfo.InvariantCulture, $"step {report.Step}");
        if (report.TotalSteps > 0)
            line.Append(CultureInfo.InvariantCulture, $"/{report.TotalSteps}");
        if (report.Phase is { } phase)
            line.Append(" | phase ").Append(phase);
        line.Append(
            CultureInfo.InvariantCulture,
            $" | loss {report.Loss:F4} | grad {report.GradientNorm:F3} | lr {report.LearningRate:0.00e-00}"
        );
        line.Append(FormatMeasures(report.Measures));
        line.Append(
            CultureInfo.InvariantCulture,
            $" | {report.TokensPerSecond:F0} tok/s | {Units.Flops(report.ModelFlops)} | mfu {Units.Mfu(report.Mfu)}"
        );
        line.Append(CultureInfo.InvariantCulture, $" | mem {Units.Bytes(report.MemoryBytes)}");
        if (report.DeviceMemoryBytes is { } device)
            line.Append(" | device ").Append(Units.Bytes(device));
        line.Append(CultureInfo.InvariantCulture, $" | {Units.Count(report.ConsumedTokens)} tokens");
        if (report.Remaining is { } remaining)
            line.Append(" | left ").Append(Units.Duration(remaining));
        if (report.SkippedCount > 0)
            line.Append(CultureInfo.InvariantCulture, $" | skipped {report.SkippedCount}");
        if (report.Rollbacks > 0)
            line.Append(CultureInfo.InvariantCulture, $" | rollbacks {report.Rollbacks}");
        return line.ToString();
    }

    /// <summary>What the loss measured. The details of a policy and of its rollouts are many, and stand in the metrics.</summary>
    private static string FormatMeasures(IReadOnlyDictionary<string, double>? measures) =>
        measures is null
            ? ""
            : string.Concat(
                measures
                    .Where(measure => !Details.Any(detail => measure.Key.StartsWith(detail, StringComparison.Ordinal)))
                    .Select(measure => string.Create(CultureInfo.InvariantCulture, $" | {measure.Key} {measure.Value:F3}"))
            );

    private void Print()
    {
        if (_unprinted is { } report)
            Write(Format(report));
        _unprinted = null;
    }

    // The line is an argument, not a template: braces in it stay as they are.
    private void Write(string line) => log.Information("{Line:l}", line);
}
