namespace Uniscale.Checkpoints.Format;

/// <summary>
/// How a tensor is cut: parts that cover it once, each in a shard. Tensors that are cut alike, as the same matrix of the layers of a stage
/// and its moments are,
/// share one, so that what a checkpoint says of its parts hardly grows with the number of layers.
/// </summary>
/// <param name="shape">Shape of the tensors.</param>
/// <param name="shards">Shard of each part, ascending.</param>
/// <param name="numbers">Offset and extents of each part: 2 × dims numbers; within a shard in order of the offsets.</param>
internal sealed class Tiling(long[] shape, int[] shards, long[] numbers)
{
    /// <summary>Shape of the tensors.</summary>
    public long[] Shape { get; } = shape;

    /// <summary>Parts.</summary>
    public int Count => shards.Length;

    /// <summary>Order of parts within a shard: by their offsets, the first dim first.</summary>
    public static int Compare(ReadOnlySpan<long> offset, ReadOnlySpan<long> other) => offset.SequenceCompareTo(other);

    /// <summary>Shard of a part.</summary>
    public int ShardOf(int part) => shards[part];

    /// <summary>Place of a part.</summary>
    public Box BoxOf(int part) => new([.. Offset(part)], [.. Extent(part)]);

    /// <summary>Elements of a part.</summary>
    public long ElementsOf(int part)
    {
        long count = 1;
        foreach (long extent in Extent(part))
            count *= extent;
        return count;
    }

    /// <summary>Parts in a shard.</summary>
    public (int First, int End) In(int shard)
    {
        int first = Array.BinarySearch(shards, shard);
        if (first < 0)
            return (0, 0);
        int end = first + 1;
        while (first > 0 && shards[first - 1] == shard)
            first--;
        while (end < shards.Length && shards[end] == shard)
            end++;
        return (first, end);
    }

    /// <summary>Parts with elements in a box.</summary>
    public IEnumerable<int> Touching(Box wanted)
    {
        if (wanted.Count == 0)
            yield break;
        if (Shape.Length == 0)
        {
            for (int part = 0; part < Count; part++)
                yield return part;
            yield break;
        }
        int[] order = Rows.Order;
        long first = wanted.Offset[0],
            end = first + wanted.Shape[0];
        for (int i = FirstAbove(Rows.Ends, first); i < order.Length && Offset(order[i])[0] < end; i++)
            if (Touches(order[i], wanted.Offset, wanted.Shape))
                yield return order[i];
    }

    /// <summary>Parts by their rows: those that lie in some rows are a short stretch of them.</summary>
    /// <param name="Order">Parts in order of their first row.</param>
    /// <param name="Ends">The end of the last row that the part at this place or one before it reaches; ascending.</param>
    private sealed record RowIndex(int[] Order, long[] Ends);

    private RowIndex Rows => field ??= IndexOfRows();

    private RowIndex IndexOfRows()
    {
        int[] order = [.. Enumerable.Range(0, Count).OrderBy(part => Offset(part)[0])];
        long[] ends = new long[order.Length];
        long reached = 0;
        for (int i = 0; i < order.Length; i++)
            ends[i] = reached = Math.Max(reached, Offset(order[i])[0] + Extent(order[i])[0]);
        return new RowIndex(order, ends);
    }

    // The first of ascending numbers that is greater than a bound.
    private static int FirstAbove(long[] numbers, long bound)
    {
        int low = 0,
            high = numbers.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (numbers[middle] <= bound)
                low = middle + 1;
            else
                high = middle;
        }
        return low;
    }

    /// <summary>What keeps the parts from covering the tensor once, as the end of a sentence; null: nothing.</summary>
    public string? Fault()
    {
        for (int part = 0; part < Count; part++)
            if (!Fits(part))
                return $"a part at {Box.Show(Offset(part).ToArray())} with extents {Box.Show(Extent(part).ToArray())} does not lie within {Box.Show(Shape)}";
        Int128 covered = 0;
        for (int part = 0; part < Count; part++)
            covered += ElementsOf(part);
        long count = Box.CountOf(Shape);
        if (Overlap() is { } parts)
            return $"its parts at {Box.Show(Offset(parts.First).ToArray())} and {Box.Show(Offset(parts.Second).ToArray())} overlap";
        return covered == count ? null : $"its parts have {covered} of its {count} elements";
    }

    // In order of their first dim only those that begin before the end of one can meet it.
    private (int First, int Second)? Overlap()
    {
        if (Shape.Length == 0)
            return Count > 1 ? (0, 1) : null;
        int[] order = Rows.Order;
        for (int i = 0; i < order.Length; i++)
        {
            long end = Offset(order[i])[0] + Extent(order[i])[0];
            for (int j = i + 1; j < order.Length && Offset(order[j])[0] < end; j++)
                if (ElementsOf(order[i]) > 0 && Touches(order[j], Offset(order[i]), Extent(order[i])))
                    return (order[i], order[j]);
        }
        return null;
    }

    private bool Fits(int part)
    {
        var offset = Offset(part);
        var extent = Extent(part);
        for (int dim = 0; dim < offset.Length; dim++)
            if (offset[dim] < 0 || extent[dim] < 0 || offset[dim] > Shape[dim] - extent[dim])
                return false;
        return true;
    }

    private bool Touches(int part, ReadOnlySpan<long> otherOffset, ReadOnlySpan<long> otherExtent)
    {
        var offset = Offset(part);
        var extent = Extent(part);
        for (int dim = 0; dim < offset.Length; dim++)
            if (
                extent[dim] == 0
                || offset[dim] >= otherOffset[dim] + otherExtent[dim]
                || otherOffset[dim] >= offset[dim] + extent[dim]
            )
                return false;
        return true;
    }

    /// <summary>Offset of a part.</summary>
    public ReadOnlySpan<long> Offset(int part) => numbers.AsSpan(2 * Shape.Length * part, Shape.Length);

    /// <summary>Extents of a part.</summary>
    public ReadOnlySpan<long> Extent(int part) => numbers.AsSpan(2 * Shape.Length * part + Shape.Length, Shape.Length);
}
