using System.Collections.Concurrent;
using System.Globalization;
using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Programs;
using Uniscale.Telemetry;
using Uniscale.Telemetry.Accounting;
using Uniscale.Torch;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Runs;

/// <summary>Tells telemetry of the steps and the saves. Saves end on another thread: their notes wait for the next step.</summary>
/// <param name="telemetry">Receives all.</param>
/// <param name="start">What is known at the start.</param>
/// <param name="time">Where the run's time goes.</param>
/// <param name="state">What the ranks of this process hold between steps.</param>
internal sealed class TelemetryCallback(RunTelemetry telemetry, RunStart start, TimeKeeper time, MemoryAccount state)
    : ITrainingCallback,
        ISaveObserver
{
    private readonly StepMeter _meter = new(start);
    private readonly ConcurrentQueue<Note> _notes = new();

    /// <inheritdoc/>
    public void Started(RankRuntime runtime) => telemetry.Start(start with { Account = time.Account });

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        var incident = outcome.Incident;
        long step = incident?.Step ?? outcome.Position.Step;
        var mixture = runtime.Data.MixtureAt(outcome.Plan.ConsumedTokens + outcome.Plan.Tokens);
        time.AddStep(step, outcome.Elapsed.TotalSeconds, outcome.Waited.TotalSeconds, outcome.Decision.Applied);
        if (incident?.BackTo is { } back)
            time.TakeBack(back);
        if (incident is not null)
            time.Add(TimeUse.Restarting, incident.Took.TotalSeconds);
        telemetry.Step(
            AtItsSpeed(
                outcome,
                _meter.Complete(
                    new StepReport
                    {
                        Step = step,
                        TotalSteps = runtime.TotalSteps,
                        Phase = runtime.Configuration.Phases.Count > 0 ? runtime.Configuration.Phases[outcome.Plan.Phase].Name : null,
                        ConsumedTokens = outcome.Position.ConsumedTokens,
                        Loss = outcome.Decision.Loss,
                        GradientNorm = outcome.Decision.GradientNorm,
                        Measures = outcome.Decision.Measures.Count == 0 ? null : outcome.Decision.Measures,
                        LearningRate = outcome.LearningRate,
                        BatchTokens = outcome.Plan.Tokens,
                        Seconds = outcome.Elapsed.TotalSeconds,
                        DeviceMemoryBytes = runtime.Model.Link.DeviceBytesInUse,
                        MemoryParts = MemoryParts(),
                        DomainLosses = DomainLosses(runtime.Data.Domains, outcome.Decision.DomainLosses),
                        MixtureFed = mixture.Count == 0 ? null : mixture.ToDictionary(share => share.Source, share => share.Fed),
                        MixturePlanned = mixture.Count == 0 ? null : mixture.ToDictionary(share => share.Source, share => share.Planned),
                        Parts = new Dictionary<string, double> { ["wait"] = outcome.Waited.TotalSeconds },
                        Skipped = !outcome.Decision.Applied,
                        SkippedCount = runtime.Record.DiscardedSteps,
                        BadSteps = Counts(runtime.Record),
                        Rollbacks = runtime.Record.Rollbacks,
                        Account = time.Account,
                        DataDigest = outcome.Decision.DataDigest.ToString("x16", CultureInfo.InvariantCulture),
                    },
                    FlopsPerToken(runtime, outcome.Plan.Context)
                )
            )
        );
        if (incident is not null)
            Tell(incident);
        TellNotes();
    }

    /// <inheritdoc/>
    public void WentBack(RankRuntime runtime, Incident incident)
    {
        time.Redo(runtime.Position.Step);
        time.Add(TimeUse.Redone, incident.Took.TotalSeconds);
        telemetry.WentBack(runtime.Position.Step);
        Tell(incident with { Step = runtime.Position.Step });
        TellNotes();
    }

    /// <summary>Tells how the run ended.</summary>
    /// <param name="record">What went wrong in it.</param>
    /// <param name="end">How it ended.</param>
    public void End(StepRecord record, RunEnd end)
    {
        TellNotes();
        telemetry.End(
            end with
            {
                BadSteps = Counts(record),
                SkippedCount = record.DiscardedSteps,
                Rollbacks = record.Rollbacks,
                Account = time.Account,
            }
        );
    }

    /// <inheritdoc/>
    public void Staged(SaveStaged staged) =>
        _notes.Enqueue(
            new Note(
                staged.Step,
                "checkpoint-staged",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Checkpoint of step {staged.Step} is in memory ({staged.SizeBytes / 1e6:F1} MB of rank 0, training waited {staged.Blocked.TotalSeconds:F2} s) and is being written."
                )
            )
        );

    /// <inheritdoc/>
    public void Replicated(long step, string tier, string? problem) =>
        _notes.Enqueue(
            problem is null
                ? new Note(step, "checkpoint-copied", $"Checkpoint of step {step} is also in {tier}.")
                : new Note(step, "checkpoint-not-copied", $"Checkpoint of step {step} could not be copied: {problem}.", NoteLevel.Warning)
        );

    /// <inheritdoc/>
    public void Ended(SaveResult result) =>
        _notes.Enqueue(
            result.Status == SaveStatus.Durable
                ? Durable(result)
                : new Note(
                    result.Step,
                    "checkpoint-failed",
                    $"The checkpoint of step {result.Step} was not written: {result.Reason}; training goes on.",
                    NoteLevel.Warning
                )
        );

    private static Note Durable(SaveResult result)
    {
        string message = string.Create(
            CultureInfo.InvariantCulture,
            $"Checkpoint of step {result.Step} is durable: {result.Path} (training waited {result.Blocked.TotalSeconds:F2} s of {result.Total.TotalSeconds:F2} s)."
        );
        return new Note(result.Step, "checkpoint-durable", message) { Seconds = result.Total.TotalSeconds };
    }

    /// <summary>Speeds of what was computed, where a step has room for more.</summary>
    private static StepReport AtItsSpeed(StepOutcome outcome, StepReport report) =>
        outcome.FedShare == 1
            ? report
            : report with
            {
                TokensPerSecond = report.TokensPerSecond * outcome.FedShare,
                ModelFlops = report.ModelFlops * outcome.FedShare,
                Mfu = report.Mfu * outcome.FedShare,
            };

    /// <summary>Model operations of a token in sequences of a length, which phases may change.</summary>
    private static double FlopsPerToken(RankRuntime runtime, int context) =>
        ModelFlops.PerToken(runtime.Configuration.Model, runtime.Specification.Model.Vocabulary, context);

    /// <summary>By name, those that the step had tokens of.</summary>
    private static Dictionary<string, double>? DomainLosses(IReadOnlyList<string> domains, IReadOnlyList<double> losses) =>
        losses.Count == 0
            ? null
            : Enumerable.Range(0, losses.Count).Where(i => !double.IsNaN(losses[i])).ToDictionary(i => domains[i], i => losses[i]);

    /// <summary>Bytes in host memory; empty where the tensors lie elsewhere.</summary>
    private Dictionary<string, long> MemoryParts() =>
        state.TotalBytes == 0
            ? []
            : new()
            {
                ["parameters"] = state.ParameterBytes,
                ["gradients"] = state.GradientBytes,
                ["optimizer"] = state.OptimizerBytes,
                ["cached"] = TensorMemory.CachedBytes,
            };

    private static Dictionary<string, long>? Counts(StepRecord record) =>
        record.Counts.Count == 0
            ? null
            : record.Counts.OrderBy(count => count.Key).ToDictionary(count => count.Key.Word(), count => count.Value);

    private void Tell(Incident incident)
    {
        string kind =
            incident.Verdict == StepVerdict.Corruption
                ? "replicas-differ"
                : incident.Action switch
                {
                    BadStepAction.Skip => "step-skipped",
                    BadStepAction.Rollback => "step-rolled-back",
                    BadStepAction.Stop => "step-stopped",
                    _ => "step-suspect",
                };
        telemetry.Note(new Note(incident.Step, kind, incident.Sentence, NoteLevel.Warning));
    }

    /// <summary>Tells what other threads had to say.</summary>
    public void TellNotes()
    {
        while (_notes.TryDequeue(out var note))
            telemetry.Note(note);
    }
}
