namespace Uniscale.Programs.Tests;

public class MeshTests
{
    [Fact]
    public void TensorRanksAreNeighboursByDefault()
    {
        var mesh = new MeshShape(Pipeline: 2, Data: 2, Context: 1, Tensor: 2);
        Assert.Equal([0, 1], mesh.GroupOf(1, Axis.Tensor));
        Assert.Equal([1, 3], mesh.GroupOf(1, Axis.Data));
        Assert.Equal([1, 5], mesh.GroupOf(1, Axis.Pipeline));
    }

    [Fact]
    public void CoordinatesAndRanksAreInverse()
    {
        var mesh = new MeshShape(3, 2, 2, 4) { Order = [Axis.Data, Axis.Tensor, Axis.Pipeline, Axis.Context] };
        for (int rank = 0; rank < mesh.Size; rank++)
            Assert.Equal(rank, mesh.RankOf(mesh.CoordinateOf(rank)));
    }
}
