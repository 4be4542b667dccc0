using Uniscale.Configuration;

namespace Uniscale.Evaluation.Generation;

/// <summary>How the next token is chosen.</summary>
/// <param name="Temperature">Logits are divided by it; 0: always the likeliest token.</param>
/// <param name="TopP">Tokens are drawn from the smallest set whose probabilities sum to at least this (Holtzman et al., 2020).</param>
/// <param name="Seed">Start of the random numbers; the same seed gives the same text.</param>
public sealed record SamplingOptions(double Temperature = 0.8, double TopP = 0.95, long Seed = 1234)
{
    /// <summary>Refuses what makes no sense, with a sentence.</summary>
    public void Check()
    {
        if (!(Temperature >= 0)) throw new UserErrorException($"--temperature is {Temperature}; give 0 (always the likeliest token) or more.");
        if (!(TopP is > 0 and <= 1)) throw new UserErrorException($"--top-p is {TopP}; give a number above 0 and at most 1.");
    }
}

/// <summary>Draws tokens from logits; one for each text, because it counts its draws.</summary>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly Random _random;

    public Sampler(SamplingOptions options)
    {
        options.Check();
        this._options = options;
        _random = new Random(unchecked((int)(options.Seed ^ (options.Seed >> 32))));
    }

    /// <summary>The next token, given the logits of the whole vocabulary.</summary>
    public int Draw(ReadOnlySpan<float> logits)
    {
        if (logits.IsEmpty) throw new ArgumentException("There are no logits to draw from.", nameof(logits));
        if (_options.Temperature == 0) return Likeliest(logits);
        int[] order = new int[logits.Length];
        double[] weights = new double[logits.Length];
        float top = logits[Likeliest(logits)];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
            weights[i] = Math.Exp((logits[i] - top) / _options.Temperature);
        }
        double total = weights.Sum();
        Array.Sort(order, (a, b) => weights[a] != weights[b] ? weights[b].CompareTo(weights[a]) : a.CompareTo(b));
        int kept = 0;
        double mass = 0;
        while (kept < order.Length && (kept == 0 || mass < _options.TopP * total)) mass += weights[order[kept++]];
        double mark = _random.NextDouble() * mass;
        for (int i = 0; i < kept; i++)
        {
            mark -= weights[order[i]];
            if (mark < 0) return order[i];
        }
        return order[kept - 1];
    }

    private static int Likeliest(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        return best;
    }
}
