using Uniscale.Training.Runtime;

namespace Uniscale.Training.Ownership;

/// <summary>Ends a run that another process has taken over, before a step is told or saved.</summary>
/// <param name="owned">What this process held.</param>
internal sealed class OwnershipCallback(RunOwnership owned) : ITrainingCallback
{
    /// <inheritdoc/>
    public void StepStarting(RankRuntime runtime) => owned.ThrowIfLost();

    /// <inheritdoc/>
    public void StepDone(RankRuntime runtime, StepOutcome outcome) => owned.ThrowIfLost();

    /// <inheritdoc/>
    public void Ended(RankRuntime runtime, TrainingResult result) => owned.ThrowIfLost();
}
