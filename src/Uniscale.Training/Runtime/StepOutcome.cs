using Uniscale.Data;
using Uniscale.Engine.Execution;
using Uniscale.Training.Feeding;
using Uniscale.Training.Recovery;

namespace Uniscale.Training.Runtime;

/// <summary>One optimizer step as it went.</summary>
/// <param name="Position">Position after the step.</param>
/// <param name="Plan">What the step was made of.</param>
/// <param name="Decision">Loss, norm, and whether the update was applied.</param>
/// <param name="Judgement">What the step was found to be, and what is to become of it.</param>
/// <param name="LearningRate">Rate of the update.</param>
/// <param name="Elapsed">Wall time of the step on this rank.</param>
/// <param name="Waited">Part of it spent waiting for other ranks.</param>
public sealed record StepOutcome(
    TrainingPosition Position,
    StepPlan Plan,
    StepDecision Decision,
    StepJudgement Judgement,
    double LearningRate,
    TimeSpan Elapsed,
    TimeSpan Waited
)
{
    /// <summary>What went wrong in the step and what was done about it; null: nothing went wrong.</summary>
    public Incident? Incident { get; init; }

    /// <summary>The critic alone was taught: the policy has no gradients of this step.</summary>
    public bool PolicyRests { get; init; }

    /// <summary>Share of the plan's tokens that were computed: where data is drawn as the run goes, a step has room for more.</summary>
    public double FedShare { get; init; } = 1;

    /// <summary>Tokens of the global batch per second.</summary>
    public double TokensPerSecond => Plan.Tokens * FedShare / Elapsed.TotalSeconds;
}

/// <summary>Why training ended.</summary>
public enum StopReason
{
    /// <summary>All tokens are consumed.</summary>
    Finished,

    /// <summary>A signal or a callback asked for it.</summary>
    Asked,

    /// <summary>The validation at the end of a phase, by the phase's rule.</summary>
    Judged,

    /// <summary>A bad step, by what the configuration asks for.</summary>
    BadStep,
}

/// <summary>The end of a run.</summary>
/// <param name="Position">Where it ended.</param>
/// <param name="Reason">Why.</param>
/// <param name="Last">The last step; null where nothing was left to do.</param>
public sealed record TrainingResult(TrainingPosition Position, StopReason Reason, StepOutcome? Last)
{
    /// <summary>What <see cref="ITrainingCallback.WhyStop"/> said.</summary>
    public string? Sentence { get; init; }
}
