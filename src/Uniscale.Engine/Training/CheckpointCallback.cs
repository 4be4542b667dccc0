using Uniscale.Checkpoints;

namespace Uniscale.Engine.Training;

/// <summary>Saves every N steps, at the end, when asked to, and when a run is stopped; and where a phase ends, kept for good, so that a run can be forked there.</summary>
/// <param name="store">The run's checkpoints.</param>
/// <param name="every">Steps between saves; 0: only at the end.</param>
/// <param name="behind">Write behind training.</param>
/// <param name="configuration">YAML and hash of the resolved configuration, kept in the manifest.</param>
public sealed class CheckpointCallback(
    CheckpointStore store, long every, bool behind, (string Yaml, string Hash) configuration) : ITrainingCallback
{
    private long _loadedStep = -1;
    private PendingSave? _last;

    /// <inheritdoc/>
    public void Started(RankRuntime runtime)
    {
        _loadedStep = runtime.Position.Step;
        if (behind) store.Prepare(runtime.StateToSave());
    }

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome)
    {
        bool endsPhase = outcome.Position.ConsumedTokens == outcome.Plan.PhaseStartTokens + outcome.Plan.PhaseTokens;
        if (runtime.IsFinished || !(endsPhase || outcome.Decision.Save || (every > 0 && outcome.Position.Step % every == 0))) return;
        var state = State(runtime, endsPhase);
        _last = behind ? store.SaveAsync(state) : new PendingSave(state.Step, Task.FromResult(store.Save(state)));
    }

    /// <inheritdoc/>
    /// <exception cref="CheckpointException">The end of the run could not be saved.</exception>
    public void Ended(RankRuntime runtime, TrainingResult result)
    {
        store.Drain();
        bool isSaved = result.Position.Step == _loadedStep
            || (_last?.Step == result.Position.Step && _last.Wait().Status == SaveStatus.Durable);
        if (isSaved) return;
        var save = store.Save(State(runtime));
        store.Drain();
        if (save.Status != SaveStatus.Durable) throw new CheckpointException($"The end of the run is not saved: {save.Reason}.");
    }

    private CheckpointState State(RankRuntime runtime, bool keep = false) => new()
    {
        Step = runtime.Position.Step,
        ConsumedTokens = runtime.Position.ConsumedTokens,
        ConfigurationYaml = configuration.Yaml,
        ConfigurationHash = configuration.Hash,
        DataFingerprint = runtime.Data.FingerprintAt(runtime.Position.ConsumedTokens),
        Keep = keep,
        Extra = runtime.Position.ToExtra(),
        Slices = runtime.StateToSave(),
    };
}
