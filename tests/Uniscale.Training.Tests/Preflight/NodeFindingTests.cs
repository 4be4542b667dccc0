using Uniscale.Configuration;
using Uniscale.Training.Preflight;

namespace Uniscale.Training.Tests.Preflight;

public sealed class NodeFindingTests
{
    private static NodeFigures Rank(int rank, string host, double gemm = 100e9, double memory = 20e9, double link = 0, string wrong = "") =>
        new(rank, host, gemm, memory, link, wrong);

    private static IReadOnlyList<NodeFinding> Of(params NodeFigures[] ranks) => NodeFinding.Of(ranks, new PreflightSection());

    [Fact]
    public void EqualNodesAreFine() =>
        Assert.Empty(Of(Rank(0, "n0", link: 1e9), Rank(1, "n0"), Rank(2, "n1", gemm: 80e9, link: 0.6e9), Rank(3, "n1", memory: 12e9)));

    [Fact]
    public void ASlowRankNamesItsNode()
    {
        var finding = Assert.Single(Of(Rank(0, "n0"), Rank(1, "n0"), Rank(2, "n1"), Rank(3, "n1", gemm: 41e9)));
        Assert.Equal(new NodeFinding("n1", 3, false, "n1: rank 3 multiplies at 41.0 GFLOP/s, 41 % of the median of 4"), finding);
    }

    /// <summary>Of two the faster is right.</summary>
    [Fact]
    public void OfTwoNodesTheSlowerIsSlow() => Assert.Equal("n0", Assert.Single(Of(Rank(0, "n0", memory: 3e9), Rank(1, "n1"))).Host);

    [Fact]
    public void WhatIsWrongComesBeforeWhatIsSlowAndANodeOnce()
    {
        var findings = Of(
            Rank(0, "n0", gemm: 10e9),
            Rank(1, "n1"),
            Rank(2, "n2", gemm: 1e9, wrong: "multiplies matrices wrongly"),
            Rank(3, "n3"),
            Rank(4, "n4")
        );
        Assert.Equal(
            ["n2: rank 2 multiplies matrices wrongly", "n0: rank 0 multiplies at 10.0 GFLOP/s, 10 % of the median of 5"],
            findings.Select(finding => finding.Sentence)
        );
        Assert.True(findings[0].IsWrong);
    }

    [Fact]
    public void LinksAreComparedBetweenThreeHostsAndMore()
    {
        Assert.Empty(Of(Rank(0, "n0", link: 1e8), Rank(1, "n1", link: 1e9)));
        Assert.Equal(
            "n1: its best link carries 100 MB/s, 10 % of the median of 3",
            Assert.Single(Of(Rank(0, "n0", link: 1e9), Rank(1, "n1", link: 1e8), Rank(2, "n2", link: 1e9))).Sentence
        );
    }

    [Fact]
    public void TheBetterOfTwoMeasurementsCountsAndWrongStaysWrong() =>
        Assert.Equal(
            Rank(3, "n1", gemm: 90e9, memory: 20e9, wrong: "multiplies matrices wrongly"),
            Rank(3, "n1", gemm: 50e9, memory: 20e9, wrong: "multiplies matrices wrongly").Better(Rank(3, "n1", gemm: 90e9, memory: 10e9))
        );
}
