namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// Generalized advantage estimation (Schulman et al., 2016): δ_t = r_t + γ·V_(t+1) − V_t, A_t = δ_t + γ·λ·A_(t+1), returns A + V. Behind
/// the last token nothing is foreseen.
/// </summary>
public static class GeneralizedAdvantages
{
    private const double Smallest = 1e-8;

    /// <summary>Advantages and returns of an answer's tokens.</summary>
    /// <param name="rewards">Reward of each token.</param>
    /// <param name="values">What was foreseen before each.</param>
    /// <param name="gamma">γ.</param>
    /// <param name="lambda">λ.</param>
    public static (double[] Advantages, double[] Returns) Of(
        ReadOnlySpan<double> rewards,
        ReadOnlySpan<double> values,
        double gamma,
        double lambda
    )
    {
        double[] advantages = new double[rewards.Length],
            returns = new double[rewards.Length];
        double next = 0,
            value = 0;
        for (int t = rewards.Length - 1; t >= 0; t--)
        {
            next = rewards[t] + (gamma * value) - values[t] + (gamma * lambda * next);
            (advantages[t], returns[t], value) = (next, next + values[t], values[t]);
        }
        return (advantages, returns);
    }

    /// <summary>Brings numbers of many answers to variance 1, and to mean 0 where asked, by the variance of a sample plus 1e-8.</summary>
    public static void Whiten(IReadOnlyList<double[]> numbers, bool shifts)
    {
        long count = numbers.Sum(each => (long)each.Length);
        if (count < 2)
            return;
        double mean = numbers.Sum(each => each.Sum()) / count;
        double variance = numbers.Sum(each => each.Sum(number => (number - mean) * (number - mean))) / (count - 1);
        double by = 1 / Math.Sqrt(variance + Smallest);
        foreach (double[] each in numbers)
            for (int i = 0; i < each.Length; i++)
                each[i] = (each[i] - (shifts ? mean : 0)) * by;
    }
}
