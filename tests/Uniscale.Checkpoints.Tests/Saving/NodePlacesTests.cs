using Uniscale.Checkpoints.Saving;

namespace Uniscale.Checkpoints.Tests.Saving;

/// <summary>Whom ranks tell that they are durable: each one rank, and all of them rank 0 within a few hops.</summary>
public sealed class NodePlacesTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 8)]
    [InlineData(2048, 8)]
    [InlineData(1000, 1)]
    public void EveryRankIsHeardOnceAndSoonByRankZero(int ranks, int ofHost)
    {
        // Ranks of a host need not follow one another.
        int hosts = (ranks + ofHost - 1) / ofHost;
        int[] nodeOf = [.. Enumerable.Range(0, ranks).Select(rank => rank % hosts)];
        NodePlaces[] places = [.. Enumerable.Range(0, ranks).Select(rank => new NodePlaces(nodeOf, rank))];

        Assert.Equal(Enumerable.Range(1, ranks - 1), places.SelectMany(place => place.Below).Order());
        for (int rank = 1; rank < ranks; rank++)
        {
            Assert.Contains(rank, places[places[rank].Above].Below);
            Assert.InRange(HopsFrom(rank), 1, 4);
        }
        Assert.Equal(hosts, places.Count(place => place.IsFirst));
        Assert.All(places.Where(place => !place.IsFirst), place => Assert.Empty(place.Below));

        int HopsFrom(int rank) => rank == 0 ? 0 : 1 + HopsFrom(places[rank].Above);
    }
}
