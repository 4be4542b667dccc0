using Uniscale.Configuration;

namespace Uniscale.Evaluation.Generation;

/// <summary>
/// How the next token is chosen. The rules work in the order of the fields: repeated tokens are made less likely, logits divided by the
/// temperature, then
/// only those tokens stay that top-k, top-p and min-p leave.
/// </summary>
/// <param name="Temperature">Logits are divided by it; 0: always the likeliest token.</param>
/// <param name="TopP">Tokens are drawn from the smallest set whose probabilities sum to at least this (Holtzman et al., 2020).</param>
/// <param name="Seed">Start of the random numbers; the same seed gives the same tokens, whatever else is generated beside them.</param>
public sealed record SamplingOptions(double Temperature = 0.8, double TopP = 0.95, long Seed = 1234)
{
    /// <summary>Tokens are drawn from so many likeliest; 0: from all.</summary>
    public int TopK { get; init; }

    /// <summary>
    /// Tokens whose probability is less than this share of the likeliest one's are left out (Nguyen et al., 2024); 0: none.
    /// </summary>
    public double MinP { get; init; }

    /// <summary>
    /// Positive logits of tokens that stand in the prompt or were drawn are divided by it, negative ones multiplied (Keskar et al., CTRL,
    /// 2019); 1: no penalty.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Always the likeliest token.</summary>
    public static SamplingOptions Greedy { get; } = new(Temperature: 0, TopP: 1);

    /// <summary>The model's own distribution.</summary>
    public static SamplingOptions Plain(long seed) => new(Temperature: 1, TopP: 1, seed);

    /// <summary>Refuses what makes no sense, with a sentence.</summary>
    public void Check()
    {
        if (!(Temperature >= 0) || double.IsInfinity(Temperature))
            throw new UserErrorException($"--temperature is {Temperature}; give 0 (always the likeliest token) or more.");
        if (!(TopP is > 0 and <= 1))
            throw new UserErrorException($"--top-p is {TopP}; give a number above 0 and at most 1.");
        if (TopK < 0)
            throw new UserErrorException($"--top-k is {TopK}; give 1 or more, or 0 to draw from all tokens.");
        if (!(MinP is >= 0 and <= 1))
            throw new UserErrorException($"--min-p is {MinP}; give a number from 0 to 1.");
        if (!(RepetitionPenalty > 0) || double.IsInfinity(RepetitionPenalty))
            throw new UserErrorException($"--repetition-penalty is {RepetitionPenalty}; give a number above 0, or 1 for no penalty.");
    }
}
