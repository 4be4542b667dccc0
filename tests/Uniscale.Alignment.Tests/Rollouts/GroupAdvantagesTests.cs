using Uniscale.Alignment.Rollouts;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Tests.Rollouts;

/// <summary>The numbers stand in docs/reference/objectives.md and were computed with Python's math module.</summary>
public sealed class GroupAdvantagesTests
{
    [Theory]
    [InlineData(new[] { 1.0, 0, 0, 1, 1 }, new[] { 0.730163, -1.095245, -1.095245, 0.730163, 0.730163 })]
    [InlineData(new[] { 1.1, 0.1, 0.1, 0 }, new[] { 1.493507, -0.433599, -0.433599, -0.626310 })]
    [InlineData(new[] { 0.3, 0.3, 0.3 }, new[] { 0.0, 0, 0 })]
    public void AreRewardsBesideTheOthersOfTheGroup(double[] rewards, double[] expected) =>
        Assert.All(GroupAdvantages.Of(rewards, AdvantageScale.Std).Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-6));

    [Fact]
    public void OrTheirDistanceFromTheMean() =>
        Assert.All(
            GroupAdvantages.Of([1.1, 0.1, 0.1, 0], AdvantageScale.None).Zip([0.775, -0.225, -0.225, -0.325]),
            pair => Assert.Equal(pair.Second, pair.First, 1e-12)
        );
}
