using Uniscale.Dashboard.Reading;

namespace Uniscale.Dashboard.Curves;

/// <summary>The curves that a run has, by the names that stand in addresses.</summary>
public static class CurveNames
{
    /// <summary>A curve for each step.</summary>
    /// <param name="Name">As in addresses.</param>
    /// <param name="Title">For people.</param>
    /// <param name="Unit">Of its values; empty: none.</param>
    public sealed record Curve(string Name, string Title, string Unit, Measure Measure);

    /// <summary>Those that every run may have.</summary>
    public static IReadOnlyList<Curve> All { get; } =
    [
        new("loss", "Loss", "nats a token", Measure.Loss),
        new("gradient_norm", "Gradient norm", "", Measure.GradientNorm),
        new("learning_rate", "Learning rate", "", Measure.LearningRate),
        new("tokens_per_second", "Throughput", "tokens/s", Measure.TokensPerSecond),
        new("mfu", "MFU", "share of the peak", Measure.Mfu),
        new("memory_bytes", "Memory of rank 0's process", "bytes", Measure.Memory),
        new("device_memory_bytes", "Memory of rank 0's device", "bytes", Measure.DeviceMemory),
        new("seconds", "Time of a step", "s", Measure.StepSeconds),
        new("waited", "Time rank 0 waited in a step", "s", Measure.Waited),
        new("effective_share", "Effective training time", "share", Measure.EffectiveShare),
    ];

    /// <summary>The values of a curve by name: one of <see cref="All"/>, or one that the run tells besides.</summary>
    public static CurveCursor.RowOf RowOf(string name) =>
        All.FirstOrDefault(curve => curve.Name == name) is { } known ? series => series[known.Measure] : series => series.Named(name);

    /// <summary>Whether a value that is not finite says something: of most curves it says that they were not told.</summary>
    public static bool TellsOdd(string name) =>
        name is "loss" or "gradient_norm" || name.StartsWith(NamedGroup.DomainLoss, StringComparison.Ordinal);
}
