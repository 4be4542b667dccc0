using Uniscale.Data;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Feeding;
using Uniscale.Training.Runtime;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Training.Tests.Runtime;

/// <summary>The loss of a step by domain.</summary>
public sealed class DomainLossTests
{
    private const int Steps = 3;

    /// <summary>Every layout tells the same, and the domains' losses, weighted by their tokens, are the loss.</summary>
    [Theory]
    [InlineData("dp2")]
    [InlineData("tp2 sp")]
    [InlineData("cp2")]
    [InlineData("pp2 dp2 zero2")]
    public void EveryLayoutTellsTheSame(string layout)
    {
        var (one, many) = (Decisions("dp1", 2), Decisions(layout, 2));
        foreach (var (alone, together) in one.Zip(many))
        {
            Assert.Equal(2, together.DomainLosses.Count);
            Assert.Equal(alone.DomainLosses[0], together.DomainLosses[0], 1e-5);
            Assert.Equal(alone.DomainLosses[1], together.DomainLosses[1], 1e-5);
            // Samples alternate, and all targets count.
            Assert.Equal(together.Loss, together.DomainLosses.Average(), 1e-5);
        }
        Assert.NotEqual(one[0].DomainLosses[0], one[0].DomainLosses[1], 1e-4);
    }

    /// <summary>They are told besides: the loss itself is the same to the last bit. A domain that a step has nothing of has none.</summary>
    [Fact]
    public void TheLossStaysWhatItWas()
    {
        var (told, plain) = (Decisions("dp2", 3, _ => 1), Decisions("dp2", 0));
        Assert.Equal(plain.Select(step => step.Loss), told.Select(step => step.Loss));
        Assert.All(plain, step => Assert.Empty(step.DomainLosses));
        Assert.All(
            told,
            step =>
                Assert.Equal(
                    [double.NaN, step.Loss, double.NaN],
                    step.DomainLosses.Select(loss => Math.Round(loss, 5)),
                    (a, b) => double.IsNaN(a) ? double.IsNaN(b) : Math.Abs(a - b) < 1e-4
                )
        );
    }

    private static Told[] Decisions(string layout, int domains, Func<long, int>? of = null)
    {
        var spec = LayoutSpec.Parse(layout);
        var run = LayoutVerifier.ForComparison(TestRuns.Tiny, spec);
        return TestRuns.OnRanks(
            spec.Ranks,
            world =>
            {
                var data = new Sorted(new SyntheticSource(run, run.Model.Vocabulary), domains, of ?? (index => (int)(index % 2)));
                using var runtime = RankRuntime.Create(run, world, data, data.StepAt(0).PhaseTokens);
                return Enumerable
                    .Range(0, Steps)
                    .Select(_ => runtime.Step().Decision)
                    .Select(step => new Told(step.Loss, step.DomainLosses))
                    .ToArray();
            }
        )[0];
    }

    private sealed record Told(double Loss, IReadOnlyList<double> DomainLosses);

    private sealed class Sorted(ISequenceSource inner, int domains, Func<long, int> of) : ISequenceSource
    {
        public string Fingerprint => inner.Fingerprint;

        public IReadOnlyList<string> Domains => [.. Enumerable.Range(0, domains).Select(domain => $"domain {domain}")];

        public int DomainOf(StepPlan step, long index) => of(index);

        public StepPlan StepAt(long consumedTokens) => inner.StepAt(consumedTokens);

        public void Read(StepPlan step, long index, Span<int> tokens, Span<int> documents) => inner.Read(step, index, tokens, documents);
    }
}
