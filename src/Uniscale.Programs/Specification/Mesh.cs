namespace Uniscale.Programs;

/// <summary>A number for each axis: a rank's place on it, or its size.</summary>
public readonly record struct Coordinate(int Pipeline, int Data, int Context, int Tensor)
{
    /// <summary>The number of one axis.</summary>
    public int this[Axis axis] =>
        axis switch
        {
            Axis.Pipeline => Pipeline,
            Axis.Data => Data,
            Axis.Context => Context,
            Axis.Tensor => Tensor,
            _ => throw Unknown(axis),
        };

    /// <summary>The same with another number on one axis.</summary>
    public Coordinate With(Axis axis, int value) =>
        axis switch
        {
            Axis.Pipeline => this with { Pipeline = value },
            Axis.Data => this with { Data = value },
            Axis.Context => this with { Context = value },
            Axis.Tensor => this with { Tensor = value },
            _ => throw Unknown(axis),
        };

    private static ArgumentOutOfRangeException Unknown(Axis axis) => new(nameof(axis), axis, "This axis has no place in a coordinate.");
}

/// <summary>Sizes of the axes and the order in which ranks run through them (slowest first; tensor innermost by default).</summary>
public sealed record MeshShape(int Pipeline, int Data, int Context, int Tensor)
{
    private static readonly IReadOnlyList<Axis> DefaultOrder = [.. MeshAxis.All.Select(axis => axis.Axis)];

    /// <summary>Axes from the slowest to the fastest changing.</summary>
    public IReadOnlyList<Axis> Order { get; init; } = DefaultOrder;

    /// <summary>Size of each axis.</summary>
    public Coordinate Sizes => new(Pipeline, Data, Context, Tensor);

    /// <summary>Number of ranks.</summary>
    public int Size => SizeOf(DefaultOrder);

    /// <summary>Size of an axis.</summary>
    public int this[Axis axis] => Sizes[axis];

    /// <summary>Ranks of some axes together: the product of their sizes.</summary>
    public int SizeOf(IReadOnlyList<Axis> axes)
    {
        int product = 1;
        foreach (var axis in axes)
            product *= this[axis];
        return product;
    }

    /// <summary>Place of a world rank.</summary>
    public Coordinate CoordinateOf(int rank)
    {
        var place = default(Coordinate);
        for (int i = Order.Count - 1; i >= 0; i--)
        {
            int size = this[Order[i]];
            place = place.With(Order[i], rank % size);
            rank /= size;
        }
        return place;
    }

    /// <summary>World rank at a place.</summary>
    public int RankOf(Coordinate coordinate)
    {
        int rank = 0;
        foreach (var axis in Order)
            rank = rank * this[axis] + coordinate[axis];
        return rank;
    }

    /// <summary>World ranks that share every coordinate of <paramref name="rank"/> except those on <paramref name="axes"/>,
    /// ordered by coordinate with the first axis given slowest.</summary>
    public IReadOnlyList<int> GroupOf(int rank, params ReadOnlySpan<Axis> axes)
    {
        var members = new List<Coordinate> { CoordinateOf(rank) };
        foreach (var axis in axes)
        {
            var next = new List<Coordinate>(members.Count * this[axis]);
            foreach (var member in members)
                for (int i = 0; i < this[axis]; i++)
                    next.Add(member.With(axis, i));
            members = next;
        }
        return members.ConvertAll(RankOf);
    }
}
