using System.Collections.Concurrent;
using Uniscale.Configuration;
using Uniscale.Experiments.Verification;
using Uniscale.Training.Tests.Support;

namespace Uniscale.Experiments.Tests.Verification;

/// <summary>Layouts against one rank; <c>uniscale verify --layouts all</c> runs many more.</summary>
public sealed class LayoutTests
{
    private const int Steps = 6;

    private static readonly ConcurrentDictionary<(string Variant, PrecisionKind Precision), Lazy<RunRecord>> References = [];

    [Theory]
    [InlineData("dp2")]
    [InlineData("dp4")]
    [InlineData("dp4 zero1 group2")]
    [InlineData("dp2 zero2")]
    [InlineData("dp4 zero3 group2")]
    [InlineData("pp2 gpipe")]
    [InlineData("pp4")]
    [InlineData("pp2 interleaved")]
    [InlineData("pp2 zb")]
    [InlineData("tp2")]
    [InlineData("tp4 sp")]
    [InlineData("cp2")]
    [InlineData("cp2 ulysses")]
    [InlineData("recompute-selective")]
    [InlineData("recompute-block")]
    [InlineData("recompute-every2")]
    [InlineData("tp2 sp pp2 dp2 zb zero3 recompute-block")]
    [InlineData("cp2 pp2 dp2 zero2")]
    [InlineData("tied dp2 zero3")]
    [InlineData("tied tp2")]
    [InlineData("tied pp2")]
    [InlineData("tied pp2 dp2 zero2")]
    [InlineData("mask cp2 tp2 sp")]
    [InlineData("gpt2 tied pp2 tp2 sp")]
    public void ALayoutComputesWhatOneRankComputes(string layout) => Check(layout, PrecisionKind.Fp32);

    [Theory]
    [InlineData("dp2 zero1")]
    [InlineData("dp2 zero3")]
    [InlineData("tp2 sp pp2 zb")]
    [InlineData("cp2")]
    public void InBf16ALayoutStaysNearOneRank(string layout) => Check(layout, PrecisionKind.Bf16);

    private static void Check(string layout, PrecisionKind precision)
    {
        var spec = LayoutSpec.Parse(layout);
        var run = TestRuns.Tiny with { Train = TestRuns.Tiny.Train with { Precision = precision } };
        var reference = References.GetOrAdd((spec.Variant, precision), key => new(() => TestRuns.Record(run, key.Variant, Steps))).Value;
        var error = LayoutVerifier.Compare(spec, TestRuns.Record(run, layout, Steps), reference, VerificationBounds.For(precision));
        Assert.True(error.IsWithin(VerificationBounds.For(precision)), error.ToString());
    }
}
