namespace Uniscale.Programs.Tests;

/// <summary>
/// A member of <see cref="Axis"/> that is not carried through everywhere fails here, and is never taken for another axis.
/// </summary>
public sealed class MeshAxisTests
{
    private static readonly Axis[] Axes = Enum.GetValues<Axis>();

    [Fact]
    public void Every_axis_has_one_record_and_letters_of_its_own()
    {
        Assert.Equal(Axes, MeshAxis.All.Select(entry => entry.Axis));
        Assert.Equal(Axes.Length, MeshAxis.All.Select(entry => entry.Letters).Distinct().Count());
        Assert.All(MeshAxis.All, entry => Assert.Same(entry, MeshAxis.Find(entry.Letters)));
        Assert.All(
            MeshAxis.All,
            entry => Assert.Equal(typeof(Configuration.ParallelSection).GetProperty(entry.Axis.ToString())!.Name, entry.Axis.ToString())
        );
    }

    [Fact]
    public void Every_axis_has_a_place_of_its_own_in_a_coordinate()
    {
        var place = Axes.Aggregate(default(Coordinate), (all, axis) => all.With(axis, 10 + (int)axis));
        Assert.Equal(Axes.Select(axis => 10 + (int)axis), Axes.Select(axis => place[axis]));
        Assert.Throws<ArgumentOutOfRangeException>(() => place[(Axis)Axes.Length]);
        Assert.Throws<ArgumentOutOfRangeException>(() => place.With((Axis)Axes.Length, 1));
    }

    [Fact]
    public void Every_axis_counts_in_the_size_and_in_ranks()
    {
        var mesh = new MeshShape(2, 3, 5, 7);
        Assert.Equal(Axes.Aggregate(1, (product, axis) => product * mesh[axis]), mesh.Size);
        Assert.Equal(Enumerable.Range(0, mesh.Size), Enumerable.Range(0, mesh.Size).Select(rank => mesh.RankOf(mesh.CoordinateOf(rank))));
    }

    /// <summary>Gradients are summed over exactly the axes that do not divide parameters.</summary>
    [Fact]
    public void Axes_that_divide_parameters_are_none_of_replicas() =>
        Assert.Equal(
            MeshAxis.All.Where(entry => entry.Split is not (AxisSplit.Blocks or AxisSplit.Matrices)).Select(entry => entry.Axis),
            MeshAxis.OfReplicas
        );
}
