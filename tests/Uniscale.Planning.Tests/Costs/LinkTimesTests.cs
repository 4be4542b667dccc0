using Uniscale.Planning.Clusters;
using Uniscale.Planning.Costs;

namespace Uniscale.Planning.Tests.Costs;

public class LinkTimesTests
{
    private static readonly LinkTimes Links = new(
        ClusterCatalog.Load("a100-80-selene"),
        new ConstantsSection { NodeLink = 1, FabricLink = 1 }
    );

    /// <summary>2(n − 1)/n · bytes / bandwidth (nccl-tests, doc/PERFORMANCE.md), and seven steps of 10 microseconds each way.</summary>
    [Fact]
    public void An_all_reduce_inside_a_machine_goes_at_the_links_speed() =>
        Assert.Equal(
            2 * (7.0 / 8 * 3e9 / 300e9 + 7 * 1e-5),
            Links.Of(Collective.AllReduce, 3e9, Links.PlaceOf([0, 1, 2, 3, 4, 5, 6, 7])),
            9
        );

    [Fact]
    public void One_member_a_machine_has_one_interface_and_eight_have_eight()
    {
        var one = Links.PlaceOf([0, 8, 16, 24]);
        var eight = Links.PlaceOf(Enumerable.Range(0, 32).ToArray());
        Assert.Equal((1, 8), (one.PerNode, eight.PerNode));
        Assert.Equal(3.0 / 4 * 1e9 / 25e9 + 3 * 2e-5, Links.Of(Collective.AllGather, 1e9, one), 9);
        Assert.Equal(31.0 / 32 * 1e9 / 200e9 + 28 * 1e-5 + 3 * 2e-5, Links.Of(Collective.AllGather, 1e9, eight), 9);
    }

    /// <summary>
    /// 32 owners in turn cross machines 31 times where a ring does 3 times; sums of whole tensors take their tree all the same.
    /// </summary>
    [Fact]
    public void Owners_in_turn_pay_latency_by_members()
    {
        var inTurn = new LinkTimes(
            ClusterCatalog.Load("a100-80-selene"),
            new ConstantsSection { NodeLink = 1, FabricLink = 1 },
            inTurn: true
        );
        var eight = Links.PlaceOf(Enumerable.Range(0, 32).ToArray());
        Assert.Equal(31.0 / 32 * 1e9 / 200e9 + 31 * 2e-5, inTurn.Of(Collective.AllGather, 1e9, eight), 9);
        Assert.Equal(Links.Of(Collective.AllReduce, 1e9, eight), inTurn.Of(Collective.AllReduce, 1e9, eight), 9);
        var near = Links.PlaceOf(Enumerable.Range(0, 8).ToArray());
        Assert.Equal(Links.Of(Collective.AllGather, 1e9, near), inTurn.Of(Collective.AllGather, 1e9, near), 9);
    }

    [Fact]
    public void Between_pods_there_is_less()
    {
        var meta = new LinkTimes(ClusterCatalog.Load("h100-80-meta"), new ConstantsSection { NodeLink = 1, FabricLink = 1 });
        double within = meta.Send(7e9, 0, 8),
            across = meta.Send(7e9, 0, 3072);
        Assert.Equal(7, across / within, 0.01);
    }

    [Fact]
    public void A_group_of_one_costs_nothing() => Assert.Equal(0, Links.Of(Collective.AllReduce, 1e9, Links.PlaceOf([5])));
}
