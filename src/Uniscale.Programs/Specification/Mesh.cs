namespace Uniscale.Programs;

/// <summary>A dimension of the mesh of ranks.</summary>
public enum Axis { Pipeline, Data, Context, Tensor }

/// <summary>A rank's place on each axis.</summary>
public readonly record struct Coordinate(int Pipeline, int Data, int Context, int Tensor)
{
    /// <summary>Place on one axis.</summary>
    public int this[Axis axis] => axis switch
    {
        Axis.Pipeline => Pipeline,
        Axis.Data => Data,
        Axis.Context => Context,
        _ => Tensor,
    };
}

/// <summary>Sizes of the axes and the order in which ranks run through them (slowest first; tensor innermost by default).</summary>
public sealed record MeshShape(int Pipeline, int Data, int Context, int Tensor)
{
    /// <summary>Axes from the slowest to the fastest changing.</summary>
    public IReadOnlyList<Axis> Order { get; init; } = [Axis.Pipeline, Axis.Data, Axis.Context, Axis.Tensor];

    /// <summary>Number of ranks.</summary>
    public int Size => Pipeline * Data * Context * Tensor;

    /// <summary>Extent of an axis.</summary>
    public int this[Axis axis] => axis switch
    {
        Axis.Pipeline => Pipeline,
        Axis.Data => Data,
        Axis.Context => Context,
        _ => Tensor,
    };

    /// <summary>Place of a world rank.</summary>
    public Coordinate CoordinateOf(int rank)
    {
        Span<int> place = stackalloc int[4];
        for (int i = Order.Count - 1; i >= 0; i--)
        {
            int size = this[Order[i]];
            place[(int)Order[i]] = rank % size;
            rank /= size;
        }
        return new Coordinate(place[0], place[1], place[2], place[3]);
    }

    /// <summary>World rank at a place.</summary>
    public int RankOf(Coordinate coordinate)
    {
        int rank = 0;
        foreach (var axis in Order) rank = rank * this[axis] + coordinate[axis];
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
                    next.Add(With(member, axis, i));
            members = next;
        }
        return members.ConvertAll(RankOf);
    }

    private static Coordinate With(Coordinate c, Axis axis, int value) => axis switch
    {
        Axis.Pipeline => c with { Pipeline = value },
        Axis.Data => c with { Data = value },
        Axis.Context => c with { Context = value },
        _ => c with { Tensor = value },
    };
}
