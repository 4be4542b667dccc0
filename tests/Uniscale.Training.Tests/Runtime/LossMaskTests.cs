using Uniscale.Data;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

/// <summary>The loss mask from the source of the data to the head.</summary>
public sealed class LossMaskTests
{
    private const int Steps = 3;

    [Theory]
    [InlineData("dp2")]
    [InlineData("tp2 sp")]
    [InlineData("cp2")]
    [InlineData("pp2 dp2 zero2")]
    public void EveryLayoutLearnsTheSame(string layout)
    {
        var (one, many) = (Losses("dp1", Halves), Losses(layout, Halves));
        Assert.All(one.Zip(many), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        Assert.All(one.Zip(Losses("dp1", null)), pair => Assert.NotEqual(pair.First, pair.Second, 1e-3));
    }

    /// <summary>No mask and a mask of ones are the same to the last bit.</summary>
    [Fact]
    public void AMaskOfOnesChangesNothing() => Assert.Equal(Losses("dp2", null), Losses("dp2", _ => true));

    /// <summary>The mean is over what is learned: tokens that are left out neither add to it nor thin it.</summary>
    [Fact]
    public void TheLossIsTheMeanOfWhatIsLearned()
    {
        double even = Losses("dp1", place => place % 2 == 0)[0],
            odd = Losses("dp1", place => place % 2 == 1)[0];
        Assert.Equal(Losses("dp1", null)[0], (even + odd) / 2, 1e-5);
    }

    private static bool Halves(int place) => place % 8 < 3;

    private static double[] Losses(string layout, Func<int, bool>? learned)
    {
        var spec = LayoutSpec.Parse(layout);
        var run = LayoutVerifier.ForComparison(TestRuns.Tiny, spec);
        return TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                var data = new Masked(new SyntheticSource(run, run.Model.Vocabulary), learned);
                using var runtime = RankRuntime.Create(run, world, data, data.StepAt(0).PhaseTokens);
                return Enumerable.Range(0, Steps).Select(_ => runtime.Step().Decision.Loss).ToArray();
            }
        )[0];
    }

    private sealed class Masked(ISequenceSource inner, Func<int, bool>? learned) : ISequenceSource
    {
        public string Fingerprint => inner.Fingerprint;

        public bool HasMarks => learned is not null;

        public StepPlan StepAt(long consumedTokens) => inner.StepAt(consumedTokens);

        public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents) => inner.Read(step, index, tokens, documents);

        public void ReadMarks(StepPlan step, long index, Span<TokenMarks> marks)
        {
            for (int i = 1; i < marks.Length; i++)
                marks[i] = learned!(i - 1) ? TokenMarks.Learned : TokenMarks.None;
        }
    }
}
