using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration;

/// <summary>What is done about a step that went wrong. From top to bottom the graver.</summary>
public enum BadStepAction
{
    /// <summary>The update is applied; the step is counted and warned about.</summary>
    Warn,

    /// <summary>The step changes nothing; training goes on with the data after it.</summary>
    Skip,

    /// <summary>Weights and optimizer state of an earlier checkpoint; training goes on with the data after the bad step.</summary>
    Rollback,

    /// <summary>The run saves the state before the step and ends with exit code 1.</summary>
    Stop,
}

/// <summary>What is done about replicas that should hold the same bits and do not.</summary>
public enum CorruptionAction
{
    /// <summary>The run ends with exit code 1 and names ranks and step; nothing is saved.</summary>
    Stop,

    /// <summary>The run goes back to its newest checkpoint and does the steps since then again.</summary>
    Rollback,
}

/// <summary>Steps that go wrong: numbers that are not finite, spikes, and replicas that differ.</summary>
public sealed record BadStepsSection
{
    /// <summary>A loss or a gradient norm that is NaN or infinite: skip, rollback or stop.</summary>
    public BadStepAction NotFinite { get; init; } = BadStepAction.Skip;

    /// <summary>A loss far above those of the steps before.</summary>
    public BadStepAction LossSpike { get; init; } = BadStepAction.Skip;

    /// <summary>A gradient norm far above those of the steps before.</summary>
    public BadStepAction GradientSpike { get; init; } = BadStepAction.Skip;

    /// <summary>Replicas that differ (see train.checksum_every).</summary>
    public CorruptionAction Corruption { get; init; } = CorruptionAction.Stop;

    /// <summary>
    /// Loss that counts as a spike: its robust z-score (x − median) / (1.4826 · median absolute deviation) over the window; 0: spikes of
    /// the loss are
    /// not looked for.
    /// </summary>
    [Range(0)]
    public double LossThreshold { get; init; } = 10;

    /// <summary>
    /// The same for the logarithm of the gradient norm, whose outliers are wilder and which clipping tames; 0: not looked for.
    /// </summary>
    [Range(0)]
    public double GradientThreshold { get; init; } = 20;

    /// <summary>
    /// Good steps that a new one is compared with; it begins anew with each phase. Nothing is judged before a quarter of it is full.
    /// </summary>
    [Range(8)]
    public int Window { get; init; } = 128;

    /// <summary>Steps that a rollback goes back at least: to the newest checkpoint that is so old.</summary>
    [Range(1)]
    public int RollbackSteps { get; init; } = 100;

    /// <summary>
    /// Bad steps one after another, or rollbacks with fewer than <see cref="RollbackSteps"/> good steps between them, that stop the run.
    /// </summary>
    [Range(1)]
    public int MaxConsecutive { get; init; } = 10;

    /// <summary>Whether some kind of bad step rolls back.</summary>
    public bool RollsBack() =>
        NotFinite == BadStepAction.Rollback || LossSpike == BadStepAction.Rollback || GradientSpike == BadStepAction.Rollback;
}
