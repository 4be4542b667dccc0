using Uniscale.Programs.Memory;

namespace Uniscale.Programs.Tests.Memory;

public class MemoryPlanTests
{
    [Fact]
    public void ThePublishedShapeHas104BillionParameters() => Assert.InRange(ParameterCount.OfModel(Specs.Large104) / 1e9, 103.5, 105.5);

    [Fact]
    public void TensorRanksHoldTheModelBetweenThemAndNormsEach()
    {
        var whole = Specs.Of();
        var split = Specs.Of(tensor: 4);
        long Sum(StepSpecification spec) => Enumerable.Range(0, 8).Sum(block => ParameterCount.OfBlock(spec, block));
        long norms = 64 * (2 * 6 + 1);
        Assert.Equal(Sum(whole) + 3 * norms, 4 * Sum(split));
    }

    [Theory]
    [InlineData(0, 2, 4, 12)]
    [InlineData(1, 2, 4, 3)]
    [InlineData(2, 2, 1, 3)]
    [InlineData(3, 0.5, 1, 3)]
    public void StagesShardWhatThePaperSays(int zero, double parameters, double gradients, double optimizer)
    {
        var spec = Specs.Of(data: 4, zero: zero) with { ActivationBytes = 2 };
        var plan = MemoryPlan.Of(spec, ProgramGenerator.Generate(spec, 0));
        double count = ParameterCount.OfModel(spec.Model);
        Assert.Equal(parameters, plan.ParameterBytes / count, 3);
        Assert.Equal(gradients, plan.GradientBytes / count, 3);
        Assert.Equal(optimizer, plan.OptimizerBytes / count, 3);
        Assert.Equal(zero >= 2, plan.TransientBytes > 0);
    }

    [Fact]
    public void TiedEndsKeepTheirGradientWhole()
    {
        var spec = Specs.Of(pipeline: 2, data: 4, zero: 2);
        var tied = spec with { Model = spec.Model with { TiedEmbeddings = true } };
        long Gradients(StepSpecification layout) => MemoryPlan.Of(layout, ProgramGenerator.Generate(layout, 0)).GradientBytes;
        Assert.Equal(96 * 64 * 4 * 3 / 4, Gradients(tied) - Gradients(spec));
    }
}
