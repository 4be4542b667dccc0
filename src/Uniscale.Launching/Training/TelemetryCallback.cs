using System.Collections.Concurrent;
using System.Globalization;
using Uniscale.Checkpoints;
using Uniscale.Engine.Training;
using Uniscale.Telemetry;

namespace Uniscale.Launching.Training;

/// <summary>Tells telemetry of the steps and the saves. Saves end on another thread: their notes wait for the next step.</summary>
/// <param name="telemetry">Receives all.</param>
/// <param name="start">What is known at the start.</param>
internal sealed class TelemetryCallback(RunTelemetry telemetry, RunStart start) : ITrainingCallback, ISaveObserver
{
    private readonly StepMeter _meter = new(start);
    private readonly ConcurrentQueue<Note> _notes = new();

    /// <inheritdoc/>
    public void Started(RankRuntime runtime) => telemetry.Start(start);

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        telemetry.Step(_meter.Complete(new StepReport
        {
            Step = outcome.Position.Step,
            Phase = runtime.Configuration.Phases.Count > 0 ? runtime.Configuration.Phases[outcome.Plan.Phase].Name : null,
            ConsumedTokens = outcome.Position.ConsumedTokens,
            Loss = outcome.Decision.Loss,
            GradientNorm = outcome.Decision.GradientNorm,
            LearningRate = outcome.LearningRate,
            BatchTokens = outcome.Plan.Tokens,
            Seconds = outcome.Elapsed.TotalSeconds,
            Parts = new Dictionary<string, double> { ["wait"] = outcome.Waited.TotalSeconds },
            Skipped = !outcome.Decision.Applied,
            DataDigest = outcome.Decision.DataDigest.ToString("x16", CultureInfo.InvariantCulture),
        }));
        if (!outcome.Decision.Applied)
        {
            telemetry.Note(new Note(
                outcome.Position.Step, "step-skipped",
                string.Create(CultureInfo.InvariantCulture, $"Step {outcome.Position.Step} was left out on all ranks: loss {outcome.Decision.Loss}, gradient norm {outcome.Decision.GradientNorm}."),
                NoteLevel.Warning));
        }
        TellNotes();
    }

    /// <inheritdoc/>
    public void Staged(SaveStaged staged) => _notes.Enqueue(new Note(staged.Step, "checkpoint-staged", string.Create(CultureInfo.InvariantCulture,
        $"Checkpoint of step {staged.Step} is in memory ({staged.SizeBytes / 1e6:F1} MB of rank 0, training waited {staged.Blocked.TotalSeconds:F2} s) and is being written.")));

    /// <inheritdoc/>
    public void Replicated(long step, string tier, string? problem) => _notes.Enqueue(problem is null
        ? new Note(step, "checkpoint-copied", $"Checkpoint of step {step} is also in {tier}.")
        : new Note(step, "checkpoint-not-copied", $"Checkpoint of step {step} could not be copied: {problem}.", NoteLevel.Warning));

    /// <inheritdoc/>
    public void Ended(SaveResult result) => _notes.Enqueue(result.Status == SaveStatus.Durable
        ? new Note(result.Step, "checkpoint-durable", string.Create(CultureInfo.InvariantCulture,
            $"Checkpoint of step {result.Step} is durable: {result.Path} (training waited {result.Blocked.TotalSeconds:F2} s of {result.Total.TotalSeconds:F2} s)."))
        : new Note(result.Step, "checkpoint-failed", $"The checkpoint of step {result.Step} was not written: {result.Reason}; training goes on.", NoteLevel.Warning));

    /// <summary>Tells what other threads had to say.</summary>
    public void TellNotes()
    {
        while (_notes.TryDequeue(out var note)) telemetry.Note(note);
    }
}
