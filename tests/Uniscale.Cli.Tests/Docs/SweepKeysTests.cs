using Uniscale.Configuration.Schema;
using Uniscale.Experiments.Sweeps;

namespace Uniscale.Cli.Tests.Docs;

/// <summary>The page of sweeps tells every key, and the sample is one.</summary>
public sealed class SweepKeysTests
{
    private static readonly string Root = Repository.Root;

    [Theory]
    [InlineData(typeof(SweepConfiguration))]
    [InlineData(typeof(RandomSection))]
    [InlineData(typeof(DistributionSection))]
    [InlineData(typeof(StoppingSection))]
    public void EveryKeyIsTold(Type section)
    {
        string page = File.ReadAllText(Path.Combine(Root, "docs/how-to/sweeps.md"));
        Assert.All(SectionSchema.Of(section).Keys, key => Assert.Matches($"`{key.Name}[`:]", page));
    }

    [Fact]
    public void TheSampleIsASweepOfTwelveRuns()
    {
        var plan = SweepPlan.Load(Path.Combine(Root, "configs/sweep.yaml"));
        Assert.Equal(12, plan.Runs.Count);
        Assert.All(plan.Runs, run => Assert.Null(run.Refusal));
    }
}
