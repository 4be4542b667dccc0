using Uniscale.Alignment.Rollouts;

namespace Uniscale.Alignment.Tests.Rollouts;

public sealed class KlControllerTests
{
    [Theory]
    [InlineData(6, 0.1)] // on target
    [InlineData(6.6, 0.10256)] // 10% above: 0.1·(1 + 0.1·2560/10000)
    [InlineData(60, 0.10512)] // held to 20%
    [InlineData(0, 0.09488)]
    public void MovesTowardsTheTarget(double divergence, double expected)
    {
        var controller = new KlController(0.1, target: 6, horizon: 10_000);
        controller.Move(divergence, 2560);
        Assert.Equal(expected, controller.Beta, 1e-12);
        var restored = new KlController(0.1, target: 6, horizon: 10_000);
        restored.Restore(controller.ToExtra().ToDictionary());
        Assert.Equal(controller.Beta, restored.Beta);
    }

    [Fact]
    public void IsFixedWithoutOne()
    {
        var controller = new KlController(0.1, target: 0, horizon: 10_000);
        controller.Move(60, 256);
        Assert.Equal(0.1, controller.Beta);
        Assert.Empty(controller.ToExtra());
    }
}
