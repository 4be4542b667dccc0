using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Training.Recovery;
using Uniscale.Training.Runtime;

namespace Uniscale.Training;

/// <summary>
/// Saves every N steps, at the end, when asked to, and when a run is stopped; and where a phase ends, kept for good, so that a run can be
/// forked there. A step
/// that was left out is no reason to save; one that took others back is, before training goes on, so that no resumption falls behind it.
/// </summary>
/// <param name="store">The run's checkpoints.</param>
/// <param name="every">Steps between saves; 0: only at the end.</param>
/// <param name="behind">Write asynchronously.</param>
/// <param name="configuration">YAML and hash of the resolved configuration, kept in the manifest.</param>
public sealed class CheckpointCallback(CheckpointStore store, long every, bool behind, (string Yaml, string Hash) configuration)
    : ITrainingCallback
{
    private long _loadedStep = -1;
    private PendingSave? _last;

    /// <inheritdoc/>
    public void Started(RankRuntime runtime)
    {
        _loadedStep = runtime.Position.Step;
        bool goesBack =
            runtime.Configuration.BadSteps.RollsBack() || runtime.Configuration.BadSteps.Corruption == CorruptionAction.Rollback;
        if (goesBack && runtime.Position.Step == 0)
            store.Save(State(runtime));
    }

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        if (outcome.Incident is { Action: BadStepAction.Stop })
            return;
        bool endsPhase = outcome.Position.ConsumedTokens == outcome.Plan.PhaseStartTokens + outcome.Plan.PhaseTokens;
        if (outcome.Incident is { Action: BadStepAction.Rollback })
        {
            Save(runtime, endsPhase, wait: true);
            if (_last!.Wait().Status == SaveStatus.Durable)
                store.Discard(runtime.Record.IsTakenBack);
            return;
        }
        bool isDue = every > 0 && outcome.Position.Step % every == 0 && outcome.Decision.Applied;
        if (!runtime.IsFinished && (endsPhase || isDue || outcome.Decision.Save))
            Save(runtime, endsPhase, wait: !behind);
    }

    /// <inheritdoc/>
    public void WentBack(RankRuntime runtime, Incident incident)
    {
        _loadedStep = runtime.Position.Step;
        _last = null;
    }

    /// <inheritdoc/>
    public void Stopping() => store.Drain();

    /// <inheritdoc/>
    /// <exception cref="CheckpointException">The end of the run could not be saved.</exception>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        store.Drain();
        bool isSaved =
            (result.Position.Step == _loadedStep && runtime.IsPendingAsLoaded)
            || (_last?.Step == result.Position.Step && _last.Wait().Status == SaveStatus.Durable);
        // Whoever resumes goes on from the checkpoint before.
        if (isSaved || !runtime.MaySave)
            return;
        var save = store.Save(State(runtime));
        store.Drain();
        if (save.Status != SaveStatus.Durable)
            throw new CheckpointException($"The end of the run is not saved: {save.Reason}.");
    }

    private void Save(RankRuntime runtime, bool keep, bool wait)
    {
        var state = State(runtime, keep);
        _last = wait ? new PendingSave(state.Step, Task.FromResult(store.Save(state))) : store.SaveAsync(state);
    }

    private CheckpointState State(RankRuntime runtime, bool keep = false)
    {
        runtime.CompareBeforeSave();
        return new CheckpointState
        {
            Step = runtime.Position.Step,
            ConsumedTokens = runtime.Position.ConsumedTokens,
            ConfigurationYaml = configuration.Yaml,
            ConfigurationHash = configuration.Hash,
            DataFingerprint = runtime.Data.FingerprintAt(runtime.Position.ConsumedTokens),
            Keep = keep,
            Extra = runtime.ExtraToSave(),
            Slices = runtime.StateToSave(),
            Tensors = runtime.TensorsToSave,
        };
    }
}
