namespace Uniscale.Checkpoints.Format;

/// <summary>A rectangular part of a tensor.</summary>
/// <param name="Offset">First index in each dim.</param>
/// <param name="Shape">Extent in each dim.</param>
internal readonly record struct Box(long[] Offset, long[] Shape)
{
    /// <summary>Elements inside.</summary>
    public long Count => CountOf(Shape);

    public static long CountOf(IEnumerable<long> shape) => shape.Aggregate(1L, (a, b) => checked(a * b));

    /// <summary>The common part; its count is 0 where there is none.</summary>
    public Box Intersect(Box other)
    {
        long[] offset = new long[Offset.Length];
        long[] shape = new long[Offset.Length];
        for (int dim = 0; dim < offset.Length; dim++)
        {
            offset[dim] = Math.Max(Offset[dim], other.Offset[dim]);
            long end = Math.Min(Offset[dim] + Shape[dim], other.Offset[dim] + other.Shape[dim]);
            shape[dim] = Math.Max(0, end - offset[dim]);
        }
        return new Box(offset, shape);
    }

    /// <summary>True where the box is within a tensor of this shape.</summary>
    public bool FitsIn(long[] globalShape)
    {
        if (Offset.Length != globalShape.Length || Shape.Length != globalShape.Length)
            return false;
        for (int dim = 0; dim < globalShape.Length; dim++)
        {
            if (Offset[dim] < 0 || Shape[dim] < 0 || Offset[dim] > globalShape[dim] - Shape[dim])
                return false;
        }
        return true;
    }

    public bool SameAs(Box other) => Offset.AsSpan().SequenceEqual(other.Offset) && Shape.AsSpan().SequenceEqual(other.Shape);

    /// <summary>A shape for messages: <c>[4, 8]</c>.</summary>
    public static string Show(IEnumerable<long> shape) => $"[{string.Join(", ", shape)}]";
}
