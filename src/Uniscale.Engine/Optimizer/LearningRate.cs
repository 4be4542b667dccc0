using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Engine.Optimizer;

/// <summary>Learning rate over a stretch of tokens: linear warm-up, then a shape.</summary>
/// <param name="Kind">Shape after warm-up.</param>
/// <param name="Peak">Rate at the end of warm-up.</param>
/// <param name="WarmupTokens">Tokens of warm-up; 0: none.</param>
/// <param name="TotalTokens">Tokens of the stretch; after them the rate stays at its last value.</param>
/// <param name="FinalRatio">Last rate as a share of the peak.</param>
/// <param name="DecayTokens">Tokens of decay at the end (warm-up-stable-decay).</param>
public sealed record LearningRateCurve(
    ScheduleKind Kind,
    double Peak,
    double WarmupTokens,
    double TotalTokens,
    double FinalRatio,
    double DecayTokens
)
{
    /// <summary>Rate once <paramref name="tokens"/> of the stretch are consumed.</summary>
    public double At(double tokens)
    {
        if (tokens < WarmupTokens)
            return Peak * tokens / WarmupTokens;
        double rest = Math.Max(TotalTokens - WarmupTokens, 1);
        double progress = Math.Clamp((tokens - WarmupTokens) / rest, 0, 1);
        return Peak
            * Kind switch
            {
                ScheduleKind.Constant => 1,
                ScheduleKind.Linear => Between(progress),
                ScheduleKind.Cosine => FinalRatio + (1 - FinalRatio) * 0.5 * (1 + Math.Cos(Math.PI * progress)),
                ScheduleKind.WarmupStableDecay => Between(DecayProgress(tokens)),
                _ => throw new ArgumentOutOfRangeException(nameof(tokens), Kind, "Unknown schedule."),
            };
    }

    private double Between(double progress) => 1 + (FinalRatio - 1) * progress;

    private double DecayProgress(double tokens) =>
        DecayTokens <= 0 ? 0 : Math.Clamp((tokens - (TotalTokens - DecayTokens)) / DecayTokens, 0, 1);
}

/// <summary>
/// Learning rate as a function of configuration and position alone. A phase that sets its own rate, warm-up or final share
/// has its own curve over its own tokens; other phases lie on the curve of the whole run.
/// </summary>
public static class LearningRate
{
    /// <summary>Rate of the step that <paramref name="step"/> describes: the curve at the tokens consumed when it ends.</summary>
    /// <param name="configuration">The run.</param>
    /// <param name="step">The step.</param>
    /// <param name="runTokens">Tokens of the whole run.</param>
    public static double At(RunConfiguration configuration, StepPlan step, long runTokens)
    {
        long end = step.ConsumedTokens + step.Tokens;
        var phase = step.Phase < configuration.Phases.Count ? configuration.Phases[step.Phase] : null;
        return phase is { HasOwnCurve: true }
            ? Curve(configuration, phase, step.PhaseTokens).At(end - step.PhaseStartTokens)
            : Curve(configuration, null, runTokens).At(end);
    }

    private static LearningRateCurve Curve(RunConfiguration configuration, PhaseSection? phase, long tokens)
    {
        var schedule = configuration.Schedule;
        return new LearningRateCurve(
            schedule.Kind,
            phase?.Lr ?? configuration.Optimizer.Lr,
            tokens * (phase?.WarmupRatio ?? schedule.WarmupRatio),
            tokens,
            phase?.FinalRatio ?? schedule.FinalRatio,
            tokens * schedule.DecayRatio
        );
    }
}
