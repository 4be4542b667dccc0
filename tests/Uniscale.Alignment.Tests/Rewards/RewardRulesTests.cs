using Uniscale.Alignment.Rewards;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Tests.Rewards;

public sealed class RewardRulesTests
{
    [Theory]
    [InlineData("12", "12", 1)]
    [InlineData("3 + 9 is 12.", "12", 1)]
    [InlineData("12 or 13", "12", 0)]
    [InlineData("1,200", "so 1200", 1)]
    [InlineData("12.0", "12", 1)]
    [InlineData("-7", "-7", 1)]
    [InlineData("7", "-7", 0)]
    [InlineData("10-3", "3", 1)]
    [InlineData("none", "12", 0)]
    [InlineData("", "", 0)]
    [InlineData("99999999999999999999999999999999999999", "99999999999999999999999999999999999999", 1)]
    public void TheLastNumberCounts(string answer, string reference, double reward) =>
        Assert.Equal(reward, RewardRule.Of(new RewardRuleSection()).Of(answer, reference));

    [Theory]
    [InlineData(" 12\n", "12", 1)]
    [InlineData("12.", "12", 0)]
    public void OrTheWholeText(string answer, string reference, double reward) =>
        Assert.Equal(reward, RewardRule.Of(new RewardRuleSection { Kind = RewardKind.Exact }).Of(answer, reference));

    [Theory]
    [InlineData("12", 1)]
    [InlineData("12 ", 0)]
    [InlineData("a\n12", 0)]
    public void OrTheFormOfAllOfIt(string answer, double reward) =>
        Assert.Equal(reward, RewardRule.Of(new RewardRuleSection { Kind = RewardKind.Format, Pattern = "[a-z]?[0-9]+|x" }).Of(answer, ""));
}
