using Uniscale.Data;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Feeding;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

public sealed class DataDigestTests
{
    /// <summary>The digest that every rank reports is that of the samples of the step, however they are spread.</summary>
    [Theory]
    [InlineData("dp1")]
    [InlineData("dp2")]
    [InlineData("dp4 zero3")]
    [InlineData("tp2 sp pp2")]
    [InlineData("cp2 dp2")]
    public void IsTheSameUnderEveryLayout(string layout)
    {
        const int Steps = 3;
        var spec = LayoutSpec.Parse(layout);
        ulong[][] reported = TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                using var runtime = TestRuns.Runtime(TestRuns.Tiny with { Parallel = spec.Parallel }, world);
                return Enumerable.Range(0, Steps).Select(_ => runtime.Step().Decision.DataDigest).ToArray();
            }
        );
        ulong[] expected = Expected(Steps);
        Assert.All(reported, digests => Assert.Equal(expected, digests));
        Assert.Equal(Steps, expected.Distinct().Count());
    }

    private static ulong[] Expected(int steps)
    {
        var source = new SyntheticSource(TestRuns.Tiny, TestRuns.Tiny.Model.Vocabulary);
        long consumed = 0;
        ulong[] digests = new ulong[steps];
        for (int i = 0; i < steps; i++)
        {
            var step = source.StepAt(consumed);
            int[] tokens = new int[step.Context + 1];
            for (long sample = step.FirstSample; sample < step.FirstSample + step.Sequences; sample++)
            {
                source.Read(step, sample, tokens, []);
                digests[i] = unchecked(digests[i] + SampleDigest.Of(sample, tokens));
            }
            consumed += step.Tokens;
        }
        return digests;
    }
}
