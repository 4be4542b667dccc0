namespace Uniscale.Training.Recovery;

/// <summary>What a step was found to be.</summary>
public enum StepVerdict
{
    /// <summary>Nothing was wrong.</summary>
    Good,

    /// <summary>Loss or gradient norm was NaN or infinite.</summary>
    NotFinite,

    /// <summary>The loss lay far above those of the steps before.</summary>
    LossSpike,

    /// <summary>The gradient norm lay far above those of the steps before.</summary>
    GradientSpike,

    /// <summary>Replicas that must hold the same bits did not.</summary>
    Corruption,
}

/// <summary>Names of verdicts in files and messages.</summary>
public static class StepVerdicts
{
    /// <summary>The verdicts that mean harm.</summary>
    public static IReadOnlyList<StepVerdict> Bad { get; } =
    [StepVerdict.NotFinite, StepVerdict.LossSpike, StepVerdict.GradientSpike, StepVerdict.Corruption];

    /// <summary>A short word for programs, e.g. <c>loss-spike</c>.</summary>
    public static string Word(this StepVerdict verdict) =>
        verdict switch
        {
            StepVerdict.Good => "good",
            StepVerdict.NotFinite => "not-finite",
            StepVerdict.LossSpike => "loss-spike",
            StepVerdict.GradientSpike => "gradient-spike",
            StepVerdict.Corruption => "corruption",
            _ => throw new ArgumentOutOfRangeException(nameof(verdict)),
        };
}
