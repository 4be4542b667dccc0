using Uniscale.Checkpoints;
using Uniscale.Configuration;
using Uniscale.Engine.Execution;
using Uniscale.Launching.Ranks;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Recovery;

/// <summary>
/// Goes back to checkpoints while a run goes on. Every rank calls it alike, after the same step, as all have come to the same judgement.
/// </summary>
/// <param name="runtime">This rank.</param>
/// <param name="store">The run's checkpoints.</param>
/// <param name="busy">Says that something begins which may take longer than a step; it ends with the disposal of the result.</param>
public sealed class RunRecovery(RankRuntime runtime, CheckpointStore store, Func<string, IDisposable>? busy = null)
{
    private readonly BadStepsSection _policy = runtime.Configuration.BadSteps;

    /// <summary>Whether differing replicas are brought back to a checkpoint; otherwise they end the run.</summary>
    public bool UndoesCorruption => _policy.Corruption == CorruptionAction.Rollback;

    /// <summary>
    /// Takes back the steps up to a bad one: weights and optimizer state of the newest checkpoint that lies so many steps before it as the
    /// configuration asks, and the data after the bad step. The position goes on, so that data, learning rate and steps keep their order.
    /// </summary>
    /// <returns>Steps done in the state that was taken.</returns>
    /// <exception cref="TrainingStoppedException">There is no such checkpoint.</exception>
    public long RollBack(StepOutcome bad)
    {
        long latest = Math.Max(0, bad.Position.Step - _policy.RollbackSteps);
        var loaded =
            Load(step => step <= latest && !runtime.Record.IsTakenBack(step))
            ?? throw new TrainingStoppedException(
                $"Step {bad.Position.Step} is bad and asks for a rollback, but there is no checkpoint of step {latest} or before in {store.DirectoryPath}: continue with --resume and bad steps set to skip."
            );
        runtime.TakeBack(loaded.Manifest, bad.Judgement.Verdict);
        return loaded.Manifest.Step;
    }

    /// <summary>
    /// Brings all ranks back to the newest checkpoint, position included: the steps since then are done again. Replicas are equal in every
    /// checkpoint.
    /// </summary>
    /// <param name="damage">What was found.</param>
    /// <exception cref="TrainingStoppedException">There is no checkpoint, or it has happened too often in a row.</exception>
    public Incident Undo(ReplicaMismatchException damage)
    {
        long found = damage.Step;
        if (runtime.Record.InARow + 1 >= _policy.MaxConsecutive)
            throw new TrainingStoppedException(
                $"{damage.Message} It has come back {runtime.Record.InARow} times (bad_steps.max_consecutive): take that machine out and continue with --resume.",
                damage
            );
        var loaded =
            Load(null)
            ?? throw new TrainingStoppedException(
                $"{damage.Message} There is no checkpoint to go back to in {store.DirectoryPath}: set checkpoint.every and start again.",
                damage
            );
        runtime.ContinueAgain(loaded.Manifest, found);
        long back = loaded.Manifest.Step;
        return new Incident(
            StepVerdict.Corruption,
            BadStepAction.Rollback,
            found,
            back,
            $"{damage.Message} All ranks go on from the checkpoint of step {back}."
        );
    }

    private LoadedCheckpoint? Load(Func<long, bool>? fits)
    {
        using var going = busy?.Invoke("going back");
        store.Drain();
        return runtime.Load(store, fits);
    }
}
