namespace Uniscale.Dashboard.Reading;

/// <summary>Places of ranks on the mesh, as the stored configuration lays them.</summary>
/// <param name="Pipeline">Stages.</param>
public sealed record MeshView(int Pipeline, int Data, int Context, int Tensor, IReadOnlyList<string> Order)
{
    private const int MostRanks = 65_536;

    /// <summary>Ranks.</summary>
    public int Size => Pipeline * Data * Context * Tensor;

    /// <summary>The mesh of a run; null: its configuration and its number of ranks do not agree.</summary>
    internal static MeshView? Of(FlatConfiguration configuration, long ranks)
    {
        int tensor = configuration.Whole("parallel.tensor", 1),
            pipeline = configuration.Whole("parallel.pipeline", 1),
            context = configuration.Whole("parallel.context", 1);
        long replica = (long)tensor * pipeline * context;
        if (ranks < 1 || ranks > MostRanks || replica > ranks || ranks % replica != 0)
            return null;
        string[] order =
        [
            .. (configuration["parallel.order"] ?? "")
                .Trim('[', ']')
                .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries),
        ];
        if (!order.Order(StringComparer.Ordinal).SequenceEqual(["cp", "dp", "pp", "tp"]))
            order = ["pp", "dp", "cp", "tp"];
        return new MeshView(pipeline, (int)(ranks / replica), context, tensor, order);
    }

    /// <summary>Place of a rank on each axis: the last of the order changes fastest.</summary>
    public IReadOnlyDictionary<string, int> PlaceOf(int rank)
    {
        var place = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (string axis in Order.Reverse())
        {
            place[axis] = rank % Extent(axis);
            rank /= Extent(axis);
        }
        return place;
    }

    private int Extent(string axis) =>
        axis switch
        {
            "pp" => Pipeline,
            "dp" => Data,
            "cp" => Context,
            _ => Tensor,
        };
}
