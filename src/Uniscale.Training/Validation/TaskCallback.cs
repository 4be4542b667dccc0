using System.Globalization;
using Uniscale.Checkpoints.Saving;
using Uniscale.Configuration;
using Uniscale.Evaluation.Results;
using Uniscale.Launching.Supervision;
using Uniscale.Telemetry;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Validation;

/// <summary>
/// Asks the model the tasks of <c>evaluation.tasks</c>; a phase whose <c>stop_below</c> a score at its end breaks stops the run. Scores go
/// to telemetry, and results and samples into the run's folder, from rank 0.
/// </summary>
/// <param name="tasks">What is asked; not owned.</param>
/// <param name="every">Steps between times; 0: only at ends.</param>
/// <param name="telemetry">Receives the scores.</param>
/// <param name="runDirectory">Directory of the run.</param>
/// <param name="monitor">Takes signs of life.</param>
internal sealed class TaskCallback(RunTasks tasks, long every, RunTelemetry telemetry, string runDirectory, IRunMonitor monitor)
    : JudgingCallback(every)
{
    /// <inheritdoc/>
    protected override PendingJudgement? PendingOf(RankRuntime runtime) => runtime.PendingTasks;

    /// <inheritdoc/>
    protected override void Remember(RankRuntime runtime, PendingJudgement? pending) => runtime.PendingTasks = pending;

    /// <inheritdoc/>
    protected override (bool Done, string? WhyStop) Judge(RankRuntime runtime, PhaseSection? phase, bool endsPhase)
    {
        if (tasks.Ask(runtime, monitor) is not { } evaluated)
            return (false, null);
        var scores = TaskScores.Of(evaluated);
        if (runtime.World.Rank == 0)
        {
            foreach (var task in scores)
                telemetry.Evaluation(ReportOf(runtime, phase, task));
            Write(runtime, evaluated);
        }
        string? why = endsPhase && phase is { StopBelow.Count: > 0 } ? WhyOf(phase, scores, runtime.Position.Step) : null;
        // Rank 0's word counts, as its scores do.
        string told = GroupExchange.Broadcast(runtime.World.HostGroup, why ?? "");
        return (true, told.Length > 0 ? told : null);
    }

    /// <summary>Why the run stops after a phase; null: it goes on. A score that is no number is below any bound.</summary>
    private static string? WhyOf(PhaseSection phase, IReadOnlyList<TaskScores> scores, long step)
    {
        foreach (var (name, bound) in phase.StopBelow)
        {
            var (metric, score) = scores.First(task => task.Name == name).Metrics.First();
            if (!(score.Value >= bound))
                return string.Create(
                    CultureInfo.InvariantCulture,
                    $"Phase '{phase.Name}' ended after step {step} with {metric} {score.Value:0.####} in {name}, below its stop_below = {bound:0.####}."
                );
        }
        return null;
    }

    private static EvaluationReport ReportOf(RankRuntime runtime, PhaseSection? phase, TaskScores task) =>
        new()
        {
            Step = runtime.Position.Step,
            ConsumedTokens = runtime.Position.ConsumedTokens,
            Phase = phase?.Name,
            Task = task.Name,
            IsPart = task.IsPart,
            Method = task.Method,
            Metric = task.Metrics.First().Key,
            Scores = task.Metrics.ToDictionary(metric => metric.Key, metric => metric.Value.Value),
            Errors = task
                .Metrics.Where(metric => double.IsFinite(metric.Value.Error))
                .ToDictionary(metric => metric.Key, metric => metric.Value.Error),
            Questions = task.Metrics.First().Value.Count,
        };

    private void Write(RankRuntime runtime, Evaluated evaluated)
    {
        string folder = Path.Combine(runDirectory, ResultFolder.Name);
        long step = runtime.Position.Step;
        try
        {
            ResultFolder.Write(
                folder,
                string.Create(CultureInfo.InvariantCulture, $"step-{step:00000000}"),
                evaluated,
                runDirectory,
                RunTasks.DigestOf(runtime),
                DateTimeOffset.UtcNow
            );
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            telemetry.Note(
                new Note(
                    step,
                    "evaluation-not-written",
                    $"{folder} cannot be written ({error.Message}); training goes on.",
                    NoteLevel.Warning
                )
            );
        }
    }
}
