using System.Globalization;
using Uniscale.Configuration;
using Uniscale.Training.Runtime;

namespace Uniscale.Training.Recovery;

/// <summary>A step that went wrong, and what was done about it.</summary>
/// <param name="Verdict">What was wrong.</param>
/// <param name="Action">What was done.</param>
/// <param name="Step">The step, from 1.</param>
/// <param name="BackTo">Steps done in the state that a rollback took; null without one.</param>
/// <param name="Sentence">All of it for people.</param>
public sealed record Incident(StepVerdict Verdict, BadStepAction Action, long Step, long? BackTo, string Sentence)
{
    /// <summary>Time spent going back.</summary>
    public TimeSpan Took { get; init; }

    /// <summary>The incident of a bad step.</summary>
    /// <param name="outcome">The step.</param>
    /// <param name="step">Its number.</param>
    /// <param name="backTo">See <see cref="BackTo"/>.</param>
    /// <param name="inARow">Bad steps in a row that end the run; null: their number is not the reason.</param>
    public static Incident Of(StepOutcome outcome, long step, long? backTo, int? inARow = null)
    {
        var (verdict, action) = outcome.Judgement;
        string numbers = string.Create(
            CultureInfo.InvariantCulture,
            $"loss {outcome.Decision.Loss:0.####}, gradient norm {outcome.Decision.GradientNorm:0.####}"
        );
        string what = verdict switch
        {
            StepVerdict.NotFinite => $"has numbers that are not finite ({numbers})",
            StepVerdict.LossSpike => $"has a loss far above those before ({numbers})",
            _ => $"has a gradient norm far above those before ({numbers})",
        };
        string key = verdict switch
        {
            StepVerdict.NotFinite => "not_finite",
            StepVerdict.LossSpike => "loss_spike",
            _ => "gradient_spike",
        };
        string sentence = action switch
        {
            BadStepAction.Warn => $"Step {step} {what}; it was applied, as bad_steps.{key} asks.",
            BadStepAction.Skip => $"Step {step} was left out on all ranks: it {what}.",
            BadStepAction.Rollback =>
                $"Step {step} {what}; training goes on with the weights of step {backTo}, and the data of steps {backTo + 1} to {step} is passed over.",
            _ when inARow is { } count =>
                $"Step {step} {what}, and {count} bad steps in a row end the run (bad_steps.max_consecutive): it is saved as it was before; look at data, learning rate and machines, then continue with --resume.",
            _ =>
                $"Step {step} {what}, and bad_steps.{key} is stop: the run is saved as it was before; continue with --resume, for example with --set bad_steps.{key}=skip.",
        };
        return new Incident(verdict, action, step, backTo, sentence);
    }
}
