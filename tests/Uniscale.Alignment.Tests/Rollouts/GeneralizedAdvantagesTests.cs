using Uniscale.Alignment.Rollouts;

namespace Uniscale.Alignment.Tests.Rollouts;

/// <summary>The numbers stand in docs/reference/objectives.md and were computed with Python.</summary>
public sealed class GeneralizedAdvantagesTests
{
    [Theory]
    [InlineData(new[] { 0.0, 0, 1 }, new[] { 0.5, 0.6, 0.8 }, 1, 0.95, new[] { 0.470500, 0.390000, 0.200000 })]
    [InlineData(new[] { -0.01, -0.02, 0.98 }, new[] { 0.1, 0.2, 0.3 }, 1, 1, new[] { 0.850000, 0.760000, 0.680000 })]
    [InlineData(new[] { -0.1, 0.2, 0, 2 }, new[] { 0, 1, -1, 0.5 }, 0.9, 0.8, new[] { 0.887552, 0.121600, 2.530000, 1.500000 })]
    [InlineData(new[] { 1.0 }, new[] { 0.25 }, 1, 0.95, new[] { 0.75 })]
    public void TokensHaveTheAdvantagesOfThePage(double[] rewards, double[] values, double gamma, double lambda, double[] expected)
    {
        var (advantages, returns) = GeneralizedAdvantages.Of(rewards, values, gamma, lambda);
        Assert.All(advantages.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-6));
        Assert.All(returns.Select((value, i) => (value, advantages[i] + values[i])), pair => Assert.Equal(pair.Item2, pair.value, 1e-12));
        // From the definition: the sum of (γλ)^l·δ_(t+l).
        for (int t = 0; t < rewards.Length; t++)
        {
            double sum = 0;
            for (int l = t; l < rewards.Length; l++)
                sum += Math.Pow(gamma * lambda, l - t) * (rewards[l] + (gamma * (l + 1 < values.Length ? values[l + 1] : 0)) - values[l]);
            Assert.Equal(sum, advantages[t], 1e-12);
        }
    }

    [Theory]
    [InlineData(true, new[] { 0.635106, -0.294317, 0.402750, 0.867462, -1.611000 })]
    [InlineData(false, new[] { 0.697067, -0.232356, 0.464712, 0.929423, -1.549038 })]
    public void WhiteningIsOverTheWholeBatch(bool shifts, double[] expected)
    {
        double[][] numbers =
        [
            [0.9, -0.3],
            [0.6],
            [1.2, -2.0],
        ];
        GeneralizedAdvantages.Whiten(numbers, shifts);
        Assert.All(numbers.SelectMany(each => each).Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-6));
    }

    [Fact]
    public void RewardsAreNormalisedByAllSoFar()
    {
        double[] rewards = [1, 3, -2, 0.5, 8];
        var (moments, restored) = (new RunningMoments(), new RunningMoments());
        foreach (double reward in rewards[..3])
            moments.Add(reward);
        restored.Restore(moments.ToExtra().ToDictionary());
        foreach (double reward in rewards[3..])
            (moments, _) = (Added(moments, reward), Added(restored, reward));
        double mean = rewards.Average(),
            deviation = Math.Sqrt(rewards.Sum(reward => (reward - mean) * (reward - mean)) / 4);
        Assert.Equal((4 - mean) / deviation, moments.Normalise(4), 1e-7);
        Assert.Equal(moments.Normalise(4), restored.Normalise(4));
    }

    private static RunningMoments Added(RunningMoments moments, double reward)
    {
        moments.Add(reward);
        return moments;
    }
}
