using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Engine.Optimizer;

namespace Uniscale.Engine.Tests.Optimizer;

public sealed class LearningRateTests
{
    private static LearningRateCurve Curve(ScheduleKind kind) =>
        new(kind, Peak: 2, WarmupTokens: 100, TotalTokens: 1100, FinalRatio: 0.1, DecayTokens: 200);

    [Theory]
    [InlineData(ScheduleKind.Constant, 600, 2)]
    [InlineData(ScheduleKind.Linear, 600, 1.1)]
    [InlineData(ScheduleKind.Cosine, 600, 1.1)]
    [InlineData(ScheduleKind.WarmupStableDecay, 900, 2)]
    [InlineData(ScheduleKind.WarmupStableDecay, 1000, 1.1)]
    public void ShapesPassThroughTheirMiddle(ScheduleKind kind, double tokens, double rate) =>
        Assert.Equal(rate, Curve(kind).At(tokens), 12);

    [Theory]
    [InlineData(ScheduleKind.Linear)]
    [InlineData(ScheduleKind.Cosine)]
    [InlineData(ScheduleKind.WarmupStableDecay)]
    public void CurvesWarmUpLinearlyAndEndAtTheFinalShare(ScheduleKind kind)
    {
        var curve = Curve(kind);
        Assert.Equal(1, curve.At(50), 12);
        Assert.Equal(2, curve.At(100), 12);
        Assert.Equal(0.2, curve.At(1100), 12);
        Assert.Equal(0.2, curve.At(5000), 12);
    }

    [Fact]
    public void AStepsRateIsThatOfTheTokensConsumedWhenItEnds()
    {
        var run = new RunConfiguration
        {
            Optimizer = new() { Lr = 1 },
            Schedule = new() { WarmupRatio = 0.1, Kind = ScheduleKind.Constant },
        };
        var first = new StepPlan(0, 0, Sequences: 5, Context: 10, ConsumedTokens: 0, PhaseStartTokens: 0, PhaseTokens: 1000);
        Assert.Equal(0.5, LearningRate.At(run, first, 1000), 12);
    }

    [Fact]
    public void APhaseWithItsOwnRateHasItsOwnCurveAndOthersLieOnTheRuns()
    {
        var run = new RunConfiguration
        {
            Optimizer = new() { Lr = 1 },
            Schedule = new()
            {
                Kind = ScheduleKind.Linear,
                WarmupRatio = 0,
                FinalRatio = 0,
            },
            Phases = [new PhaseSection { Tokens = 1000 }, new PhaseSection { Tokens = 1000, Lr = 8 }],
        };
        var inFirst = new StepPlan(0, 0, 1, 100, ConsumedTokens: 400, PhaseStartTokens: 0, PhaseTokens: 1000);
        var inSecond = new StepPlan(1, 0, 1, 100, ConsumedTokens: 1400, PhaseStartTokens: 1000, PhaseTokens: 1000);
        Assert.Equal(0.75, LearningRate.At(run, inFirst, 2000), 12);
        Assert.Equal(4, LearningRate.At(run, inSecond, 2000), 12);
    }
}
