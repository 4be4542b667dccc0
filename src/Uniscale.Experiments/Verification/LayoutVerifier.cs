using Uniscale.Collectives;
using Uniscale.Configuration;
using Uniscale.Engine.Buckets;
using Uniscale.Programs;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;

namespace Uniscale.Experiments.Verification;

/// <summary>Largest relative differences of a layout from one rank.</summary>
/// <param name="Layout">Short form.</param>
/// <param name="Ranks">Ranks of the layout.</param>
/// <param name="Loss">Largest over the steps.</param>
/// <param name="Gradient">Largest over the tensors, of the first step.</param>
/// <param name="WorstGradient">Its tensor.</param>
/// <param name="Weight">Largest over the tensors, after the last step.</param>
/// <param name="WorstWeight">Its tensor.</param>
/// <param name="Memory">Bytes that the first rank holds between steps.</param>
/// <param name="Refusal">Why the layout cannot be run with this model; null where it ran.</param>
public sealed record LayoutError(
    string Layout,
    int Ranks,
    double Loss,
    double Gradient,
    string WorstGradient,
    double Weight,
    string WorstWeight,
    MemoryAccount Memory,
    string? Refusal = null
)
{
    /// <summary>A layout that this model or batch does not allow.</summary>
    public static LayoutError Refused(LayoutSpec layout, string refusal) =>
        new(layout.Text, layout.Ranks, double.NaN, double.NaN, "", double.NaN, "", default, refusal);

    /// <summary>Whether all errors are within the bounds.</summary>
    public bool IsWithin(VerificationBounds bounds) =>
        Refusal is null && Loss <= bounds.Loss && Gradient <= bounds.Gradient && Weight <= bounds.Weight;
}

/// <summary>Relative errors up to which a layout counts as equal to one rank.</summary>
/// <param name="Loss">Of the loss at every step.</param>
/// <param name="Gradient">Of each tensor's gradient in the first step.</param>
/// <param name="Weight">Of each tensor after the last step.</param>
/// <param name="Floor">Share of the norm of all tensors below which a tensor's own norm is not what its error is measured against: its true
/// value may be
/// zero (a key bias's gradient), and what is left of it is rounding.</param>
public sealed record VerificationBounds(double Loss, double Gradient, double Weight, double Floor)
{
    /// <summary>
    /// fp32: the order of summation is all that differs. bf16: activations are rounded at other places, by up to 2⁻⁹ of their size.
    /// </summary>
    public static VerificationBounds For(PrecisionKind precision) =>
        precision == PrecisionKind.Fp32 ? new(1e-5, 1e-4, 1e-4, Floor: 1e-4) : new(2e-4, 3e-2, 3e-2, Floor: 2e-3);
}

/// <summary>Runs layouts and compares them with one rank.</summary>
/// <param name="configuration">Model, batch, optimizer; its own layout is not used.</param>
/// <param name="openData">Opens the training data with the tokens of the run; called once a rank.</param>
/// <param name="steps">Optimizer steps of each run.</param>
public sealed class LayoutVerifier(RunConfiguration configuration, Func<RunConfiguration, TrainingData> openData, int steps)
{
    /// <summary>Throws where the model or the batch does not allow a layout, before anything is run.</summary>
    /// <exception cref="UserErrorException">What does not fit, and what to change.</exception>
    public static void Check(RunConfiguration configuration, LayoutSpec layout)
    {
        var laidOut = ForComparison(configuration, layout);
        int vocabulary = laidOut.Model.Vocabulary > 0 ? laidOut.Model.Vocabulary : TrainingData.VocabularyOf(laidOut);
        _ = SpecificationBuilder.Build(laidOut, layout.Ranks, vocabulary);
    }

    /// <summary>Runs one layout on the ranks of a world; every rank calls it.</summary>
    public RunRecord Run(LayoutSpec layout, IWorld world)
    {
        var laidOut = ForComparison(configuration, layout);
        using var data = openData(laidOut);
        using var runtime = RankRuntime.Create(laidOut, world, data.Source, data.Tokens, data.Vocabulary);
        return RunRecord.Of(runtime, steps);
    }

    /// <summary>
    /// The configuration that a layout is run with. AdamW divides by the size of a gradient, so an element whose true gradient is zero (a
    /// key bias) would
    /// move by its rounding alone: ε is raised to 10⁻⁶, far above rounding and far below gradients.
    /// </summary>
    public static RunConfiguration ForComparison(RunConfiguration configuration, LayoutSpec layout) =>
        configuration with
        {
            Parallel = layout.Parallel,
            Model = layout.ModelOf(configuration.Model),
            Optimizer = configuration.Optimizer with { Epsilon = Math.Max(configuration.Optimizer.Epsilon, 1e-6) },
        };

    /// <summary>Compares the record of a layout with that of one rank.</summary>
    public static LayoutError Compare(LayoutSpec layout, RunRecord record, RunRecord reference, VerificationBounds bounds)
    {
        double loss = record.Losses.Zip(reference.Losses, (a, b) => Math.Abs(a - b) / Math.Max(Math.Abs(b), 1e-12)).Max();
        if (record.Losses.Any(value => !double.IsFinite(value)))
            loss = double.PositiveInfinity;
        var (gradient, worstGradient) = Worst(record.Gradients, reference.Gradients, bounds.Floor);
        var (weight, worstWeight) = Worst(record.Weights, reference.Weights, bounds.Floor);
        return new LayoutError(layout.Text, layout.Ranks, loss, gradient, worstGradient, weight, worstWeight, record.Memory);
    }

    /// <summary>Largest ‖a − b‖ / max(‖b‖, share · ‖all b‖) over the tensors; see <see cref="VerificationBounds.Floor"/>.</summary>
    private static (double Error, string Name) Worst(
        IReadOnlyDictionary<string, float[]> values,
        IReadOnlyDictionary<string, float[]> reference,
        double share
    )
    {
        double floor = share * Math.Sqrt(reference.Values.Sum(SumOfSquares));
        return reference
            .Select(pair =>
                (Error: Distance(values[pair.Key], pair.Value) / Math.Max(Math.Sqrt(SumOfSquares(pair.Value)), floor), pair.Key)
            )
            .Select(error => double.IsNaN(error.Error) ? (double.PositiveInfinity, error.Key) : error)
            .MaxBy(error => error.Item1);
    }

    private static double SumOfSquares(float[] values) => values.Sum(value => (double)value * value);

    private static double Distance(float[] a, float[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
            sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        return Math.Sqrt(sum);
    }
}
