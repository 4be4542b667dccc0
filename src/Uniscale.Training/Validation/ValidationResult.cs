namespace Uniscale.Training.Validation;

/// <summary>How well the model predicts one held-out source.</summary>
/// <param name="Name">Name of the source.</param>
/// <param name="Domain">Its domain.</param>
/// <param name="TokenCount">Targets that were predicted, or comparisons that were judged.</param>
/// <param name="ByteCount">Bytes of text that they stand for.</param>
/// <param name="LossSum">Sum of their cross-entropies, in nats.</param>
public sealed record ValidationResult(string Name, string Domain, long TokenCount, long ByteCount, double LossSum)
{
    /// <summary>Sums of what the loss measured besides itself, by name.</summary>
    public IReadOnlyDictionary<string, double> Measures { get; init; } = new Dictionary<string, double>();

    /// <summary>Means of what was measured besides, by name.</summary>
    public IReadOnlyDictionary<string, double> Averages { get; init; } = new Dictionary<string, double>();

    /// <summary>Mean cross-entropy of a token, in nats, or mean loss of a comparison.</summary>
    public double Loss => TokenCount == 0 ? double.NaN : LossSum / TokenCount;

    /// <summary>exp(loss).</summary>
    public double Perplexity => Math.Exp(Loss);

    /// <summary>Bits that the model needs for a byte of text: comparable between tokenizers.</summary>
    public double BitsPerByte => ByteCount == 0 ? double.NaN : LossSum / Math.Log(2) / ByteCount;

    /// <summary>All sources as one.</summary>
    public static ValidationResult Total(IReadOnlyCollection<ValidationResult> results) =>
        new("all", "", results.Sum(r => r.TokenCount), results.Sum(r => r.ByteCount), results.Sum(r => r.LossSum))
        {
            Measures = results
                .SelectMany(result => result.Measures)
                .GroupBy(measure => measure.Key, measure => measure.Value)
                .ToDictionary(group => group.Key, group => group.Sum()),
        };
}
