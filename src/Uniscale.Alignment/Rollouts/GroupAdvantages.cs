using Uniscale.Configuration;

namespace Uniscale.Alignment.Rollouts;

/// <summary>
/// Advantages of answers to the same prompt by their rewards alone: (r − mean) / (standard deviation + 1e-4), the deviation of a sample, n
/// − 1 (Shao et al., 2024), or r − mean
/// (Liu et al., 2025).
/// </summary>
public static class GroupAdvantages
{
    private const double Smallest = 1e-4;

    /// <summary>One advantage a reward.</summary>
    public static double[] Of(IReadOnlyList<double> rewards, AdvantageScale scale)
    {
        double mean = rewards.Average();
        double by = scale == AdvantageScale.None ? 1 : Deviation(rewards) + Smallest;
        return [.. rewards.Select(reward => (reward - mean) / by)];
    }

    /// <summary>Standard deviation of a sample; 0 of one.</summary>
    public static double Deviation(IReadOnlyList<double> values)
    {
        if (values.Count < 2)
            return 0;
        double mean = values.Average();
        return Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Count - 1));
    }
}
