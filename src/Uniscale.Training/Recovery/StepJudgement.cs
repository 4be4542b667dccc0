using Uniscale.Configuration;

namespace Uniscale.Training.Recovery;

/// <summary>What is to become of a step.</summary>
/// <param name="Verdict">What it was found to be.</param>
/// <param name="Action">What the configuration asks for; of no meaning for a good step.</param>
public readonly record struct StepJudgement(StepVerdict Verdict, BadStepAction Action)
{
    /// <summary>The weights are updated.</summary>
    public bool Applies => Verdict == StepVerdict.Good || Action == BadStepAction.Warn;
}
