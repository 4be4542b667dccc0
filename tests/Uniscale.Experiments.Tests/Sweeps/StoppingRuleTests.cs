using Uniscale.Experiments.Sweeps;

namespace Uniscale.Experiments.Tests.Sweeps;

public sealed class StoppingRuleTests
{
    private const long ToTheEnd = long.MaxValue;

    private static readonly StoppingRule Median = new MedianRule(after: 2, every: 2, runs: 2);
    private static readonly StoppingRule Halving = new HalvingRule(first: 2, factor: 2);

    /// <summary>A run of eight steps with a value a step, as far as it has come.</summary>
    private static RunProgress Run(params double[] values) =>
        new(
            new RunCurve(
                values.Select((value, index) => KeyValuePair.Create(index + 1L, value)),
                totalSteps: values.Length == 0 ? 0 : 8,
                values.Length == 8
            ),
            HasFailed: false
        );

    private static RunProgress Whole(double value) => Run([.. Enumerable.Repeat(value, 8)]);

    private static RunProgress Failed(params double[] values) => Run(values) with { HasFailed = true };

    private static long?[] Stops(StoppingRule rule, params RunProgress[] runs) =>
        [.. rule.Judge(runs).Select(verdict => verdict.StoppedAt)];

    private static long[] Targets(StoppingRule rule, params RunProgress[] runs) => [.. rule.Judge(runs).Select(verdict => verdict.Target)];

    [Fact]
    public void TheMedianOfEarlierRunsStopsAWorseOne() =>
        Assert.Equal([null, null, 2, null], Stops(Median, Whole(1), Whole(3), Whole(2.1), Whole(2)));

    [Fact]
    public void TheMedianNeedsRuns() => Assert.Equal([null, null], Stops(Median, Whole(1), Whole(3)));

    [Fact]
    public void ARunThatWasStoppedDoesNotJudgeLaterMilestones()
    {
        // Run 2 stops at step 2; without its 9 the median at step 4 is 1.5, and run 3 stops there.
        Assert.Equal([null, null, 2, 4], Stops(Median, Whole(1), Whole(2), Whole(9), Run(1, 1, 1, 1.6)));
    }

    [Fact]
    public void AnEarlierRunThatIsNotThereYetIsWaitedForUnlessItFailed()
    {
        Assert.Equal([null, null, null], Stops(Median, Whole(1), Run(2), Whole(9)));
        Assert.Equal([null, null, null, 2], Stops(Median, Whole(1), Failed(2), Whole(1), Whole(9)));
    }

    [Fact]
    public void ANumberThatIsNoneIsWorseThanAll() => Assert.Equal([null, null, 2], Stops(Median, Whole(1), Whole(2), Whole(double.NaN)));

    [Fact]
    public void TheEndIsNoMilestone() => Assert.Equal([null, null, null], Stops(new MedianRule(8, 8, 2), Whole(1), Whole(2), Whole(9)));

    [Fact]
    public void AllRunsWaitAtARung()
    {
        Assert.Equal([2, 2, 2, 2], Targets(Halving, Run(4, 4), Run(3, 3), Run(2), Run()));
        Assert.Equal([null, null, null, null], Stops(Halving, Run(4, 4), Run(3, 3), Run(2), Run()));
    }

    [Fact]
    public void TheBetterHalfGoesOnToTheNextRung()
    {
        RunProgress[] runs = [Run(4, 4), Run(3, 3), Run(2, 2), Run(5, 5)];
        Assert.Equal([2, null, null, 2], Stops(Halving, runs));
        Assert.Equal([2, 4, 4, 2], Targets(Halving, runs));
    }

    [Fact]
    public void TheLastOneGoesToTheEnd()
    {
        RunProgress[] runs = [Run(4, 4), Run(3, 3, 3, 3), Run(2, 2, 2, 3.5), Run(5, 5)];
        Assert.Equal([2, null, 4, 2], Stops(Halving, runs));
        Assert.Equal(ToTheEnd, Targets(Halving, runs)[1]);
    }

    [Fact]
    public void OfEqualRunsTheEarlierGoesOn() => Assert.Equal([null, 2], Stops(Halving, Run(3, 3), Run(3, 3)));

    [Fact]
    public void AFailedRunIsNotWaitedFor()
    {
        Assert.Equal([null, null, null, 2], Stops(Halving, Failed(1), Failed(), Run(3, 3), Run(4, 4)));
        Assert.Equal(ToTheEnd, Targets(Halving, Failed(1), Failed(), Run(3, 3), Run(4, 4))[2]);
    }

    /// <summary>What a rule decides on part of the curves it decides on all of them: a broken sweep ends like an unbroken one.</summary>
    [Theory]
    [InlineData(StoppingKind.Median)]
    [InlineData(StoppingKind.Halving)]
    public void DecisionsStandHoweverFarTheCurvesGo(StoppingKind kind)
    {
        var rule = StoppingRule.Of(
            new StoppingSection
            {
                Rule = kind,
                After = 2,
                Every = 1,
                Runs = 2,
            }
        );
        var random = new Random(7);
        for (int trial = 0; trial < 300; trial++)
        {
            double[][] whole = [.. Enumerable.Range(0, 6).Select(_ => Enumerable.Range(0, 8).Select(_ => random.NextDouble()).ToArray())];
            long?[] final = Stops(rule, [.. whole.Select(values => Run(values))]);
            long?[] partial = Stops(rule, [.. whole.Select(values => Run(values[..random.Next(9)]))]);
            Assert.All(partial.Zip(final), pair => Assert.True(pair.First is null || pair.First == pair.Second));
        }
    }
}
