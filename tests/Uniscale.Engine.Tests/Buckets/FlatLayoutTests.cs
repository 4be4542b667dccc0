using Uniscale.Engine.Buckets;

namespace Uniscale.Engine.Tests.Buckets;

public sealed class FlatLayoutTests
{
    private static FlatLayout Layout(int shards = 1, int shard = 0) =>
        new(
            [
                TestParameters.Vector("norm", 10),
                TestParameters.Matrix("w1", 7, 9),
                TestParameters.Vector("bias", 7),
                TestParameters.Matrix("w2", 5, 4),
            ],
            shards,
            shard
        );

    [Fact]
    public void DecayedParametersComeFirstAndEachIsAligned()
    {
        var layout = Layout();
        Assert.Equal(["norm", "w1", "bias", "w2"], layout.Parameters.Select(p => p.Parameter.Spec.Name));
        Assert.All(layout.Parameters, p => Assert.Equal(0, p.Range.Start % FlatLayout.Alignment));
        Assert.All(layout.Parameters, p => Assert.Equal(p.Parameter.Spec.Decay, p.Range.Start < layout.DecayEnd));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void GapsAreWhatBelongsToNoParameter(int shards)
    {
        var layout = Layout(shards);
        int[] counts = new int[layout.Count];
        foreach (var span in layout.Parameters.Select(p => p.Range).Concat(layout.Gaps))
            for (long i = span.Start; i < span.End; i++)
                counts[i]++;
        Assert.All(counts, count => Assert.Equal(1, count));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(8)]
    public void ShardsCoverTheBufferOnce(int shards)
    {
        var parts = Enumerable.Range(0, shards).Select(i => Layout(shards, i)).ToArray();
        Assert.Equal(0, parts[0].Shard.Start);
        Assert.Equal(parts[0].Count, parts[^1].Shard.End);
        for (int i = 1; i < shards; i++)
            Assert.Equal(parts[i - 1].Shard.End, parts[i].Shard.Start);
        Assert.Single(parts.Select(p => p.Shard.Count).Distinct());
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(2, 3)]
    [InlineData(4, 2)]
    public void EveryElementIsCountedByExactlyOneRank(int shards, int replicas)
    {
        int[] counts = new int[Layout(shards).Count];
        for (int shard = 0; shard < shards; shard++)
            for (int replica = 0; replica < replicas; replica++)
                foreach (var run in Layout(shards, shard).OwnedRuns(replica, replicas))
                    for (long i = run.Start; i < run.End; i++)
                        counts[i]++;
        foreach (var (parameter, range) in Layout().Parameters)
            for (long i = range.Start; i < range.End; i++)
                Assert.Equal(1, counts[i]);
        Assert.True(counts.Max() == 1);
    }

    [Fact]
    public void WhatAnotherRankSpeaksForIsNotCounted()
    {
        var mine = TestParameters.Matrix("mine", 4, 4);
        var others = TestParameters.Matrix("others", 2, 2) with { IsOwner = false };
        var layout = new FlatLayout([mine, others, TestParameters.Matrix("last", 3, 3)], 1, 0);
        var runs = layout.OwnedRuns(0, 1).ToArray();
        Assert.DoesNotContain(runs, run => run.Intersect(layout.Parameters[1].Range).Count > 0);
        Assert.Equal(16 + 9, runs.Sum(run => run.Count));
    }
}
