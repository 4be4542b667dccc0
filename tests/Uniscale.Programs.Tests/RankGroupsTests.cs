namespace Uniscale.Programs.Tests;

public class RankGroupsTests
{
    [Fact]
    public void HybridShardingCutsReplicasIntoNeighbours()
    {
        var groups = RankGroups.Of(Specs.Of(pipeline: 1, data: 4, context: 2, tensor: 2, zero: 1, group: 4), rank: 11);
        Assert.Equal([1, 3, 5, 7, 9, 11, 13, 15], groups.Replicas);
        Assert.Equal([9, 11, 13, 15], groups.Shards);
        Assert.Equal([3, 11], groups.ShardReplicas);
        Assert.Equal([8, 9, 10, 11], groups.Lockstep);
    }

    [Fact]
    public void TiedEndsMeet()
    {
        var spec = Specs.Of(pipeline: 3, data: 2, tied: true);
        Assert.Equal([1, 5], RankGroups.Of(spec, 5).Tied);
        Assert.Empty(RankGroups.Of(spec, 3).Tied);
        Assert.Empty(RankGroups.Of(Specs.Of(pipeline: 1, tied: true), 0).Tied);
    }

    [Theory]
    [InlineData(Axis.Data, Axis.Tensor, Axis.Pipeline, Axis.Context)]
    [InlineData(Axis.Tensor, Axis.Context, Axis.Data, Axis.Pipeline)]
    public void EveryGroupIsTheSameForAllItsMembersInAnyOrderOfAxes(Axis a, Axis b, Axis c, Axis d)
    {
        var spec = Specs.Of(pipeline: 2, data: 2, context: 2, tensor: 2, zero: 3, group: 2);
        spec = spec with { Mesh = spec.Mesh with { Order = [a, b, c, d] } };
        var groups = Enumerable.Range(0, 16).Select(rank => RankGroups.Of(spec, rank)).ToArray();
        Func<RankGroups, IReadOnlyList<int>>[] kinds =
        [
            g => g.Tensor,
            g => g.Context,
            g => g.Data,
            g => g.Pipeline,
            g => g.Lockstep,
            g => g.Replicas,
            g => g.Shards,
            g => g.ShardReplicas,
        ];
        foreach (var kind in kinds)
            for (int rank = 0; rank < 16; rank++)
            {
                Assert.Contains(rank, kind(groups[rank]));
                Assert.All(kind(groups[rank]), member => Assert.Equal(kind(groups[rank]), kind(groups[member])));
            }
    }
}
