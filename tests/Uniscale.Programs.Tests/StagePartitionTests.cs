namespace Uniscale.Programs.Tests;

public class StagePartitionTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    [InlineData(8, 1)]
    public void EveryBlockLiesOnOneStageAndEveryStageHasABlock(int stages, int chunks)
    {
        var partition = StagePartition.Of(Specs.Of(pipeline: stages, chunks: chunks, schedule: "interleaved-1f1b"));
        Assert.Equal(Enumerable.Range(0, 8), partition.Ranges.SelectMany(range => Enumerable.Range(range.First, range.Count)));
        Assert.All(partition.Ranges, range => Assert.True(range.Count >= 1));
        for (int stage = 0; stage < stages; stage++)
            Assert.All(partition.BlocksOf(stage), block => Assert.Equal(stage, partition.StageOf(block)));
    }

    [Fact]
    public void ALargeVocabularyTakesThePlaceOfLayers()
    {
        var small = Specs.Of(pipeline: 2);
        var large = small with { Model = small.Model with { Vocabulary = 4 * 12 * 64 / 2 } };
        Assert.Equal(4, StagePartition.Of(small).RangeOf(0, 0).Count);
        Assert.True(StagePartition.Of(large).RangeOf(0, 0).Count > 4);
    }

    [Fact]
    public void NoCutIsBetter()
    {
        var spec = Specs.Of(pipeline: 3) with { Model = Specs.Tiny with { Vocabulary = 1500 } };
        double[] costs = Enumerable.Range(0, 8).Select(block => BlockCost.ForwardPerToken(spec.Model, block)).ToArray();
        double best = double.PositiveInfinity;
        for (int first = 1; first < 7; first++)
            for (int second = first + 1; second < 8; second++)
                best = Math.Min(best, new[] { costs[..first].Sum(), costs[first..second].Sum(), costs[second..].Sum() }.Max());
        Assert.Equal(best, StagePartition.Of(spec).Ranges.Max(range => costs[range.First..(range.Last + 1)].Sum()), 6);
    }
}
