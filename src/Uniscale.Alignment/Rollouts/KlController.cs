using System.Globalization;

namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// The weight β of the divergence: fixed, or moved towards a target after each batch, β·(1 + clip(KL/target − 1, ±0.2)·n/horizon) for n
/// answers (Ziegler et al., 2019, section 2.2).
/// </summary>
/// <param name="beta">First value.</param>
/// <param name="target">Divergence of an answer, in nats, that is aimed at; 0: β is fixed.</param>
/// <param name="horizon">Answers over which β is moved.</param>
public sealed class KlController(double beta, double target, double horizon)
{
    private const string Key = "rollouts.beta";

    /// <summary>The present value.</summary>
    public double Beta { get; private set; } = beta;

    /// <summary>Moves the value.</summary>
    /// <param name="divergence">Mean of an answer's divergence, in nats.</param>
    /// <param name="answers">Answers of the batch.</param>
    public void Move(double divergence, int answers)
    {
        if (target > 0)
            Beta *= 1 + (Math.Clamp((divergence / target) - 1, -0.2, 0.2) * answers / horizon);
    }

    internal IEnumerable<KeyValuePair<string, string>> ToExtra() =>
        target > 0 ? [new(Key, Beta.ToString("R", CultureInfo.InvariantCulture))] : [];

    internal void Restore(IReadOnlyDictionary<string, string> extra)
    {
        if (target > 0 && extra.TryGetValue(Key, out string? text))
            Beta = double.Parse(text, CultureInfo.InvariantCulture);
    }
}
