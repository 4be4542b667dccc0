using Uniscale.Configuration;
using Uniscale.Engine.Model;

namespace Uniscale.Engine.Objectives;

/// <summary>The loss of an objective that compares answers.</summary>
public static class AnswerLosses
{
    /// <summary>The loss of a run; null: it learns tokens, not comparisons.</summary>
    public static IAnswerLoss? Of(RunConfiguration configuration) =>
        configuration.Objective switch
        {
            ObjectiveKind.Reward => new RewardLoss(configuration.Reward),
            ObjectiveKind.Dpo => new DpoLoss(configuration.Dpo),
            _ => null,
        };
}
