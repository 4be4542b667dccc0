using Uniscale.Collectives;

namespace Uniscale.Checkpoints;

/// <summary>Describes a piece of a flat buffer as slices.</summary>
public static class FlatRange
{
    /// <summary>
    /// Elements [<paramref name="start"/>, <paramref name="start"/> + <paramref name="count"/>) of a local tensor in row-major order, as
    /// the
    /// few rectangles that they are: an optimizer shard may begin and end in the middle of a row.
    /// </summary>
    /// <param name="name">Global name.</param>
    /// <param name="type">Type of an element.</param>
    /// <param name="globalShape">Shape of the whole tensor.</param>
    /// <param name="localOffset">First index of the local tensor in each dim.</param>
    /// <param name="localShape">Extent of the local tensor in each dim.</param>
    /// <param name="start">First element of the range within the local tensor.</param>
    /// <param name="count">Elements in the range.</param>
    /// <param name="address">Memory of the range's first element.</param>
    public static IEnumerable<StateSlice> Slices(
        string name,
        ElementType type,
        long[] globalShape,
        long[] localOffset,
        long[] localShape,
        long start,
        long count,
        nint address
    )
    {
        long[] inner = new long[localShape.Length];
        long stride = 1;
        for (int dim = localShape.Length - 1; dim >= 0; dim--)
        {
            inner[dim] = stride;
            stride *= localShape[dim];
        }
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(start + count, stride);
        while (count > 0)
        {
            // The outermost dim along which the range begins on a boundary and holds at least one whole row.
            int dim = 0;
            while (dim < inner.Length && (start % inner[dim] != 0 || count < inner[dim]))
                dim++;
            long[] offset = (long[])localOffset.Clone();
            long[] shape = localShape.Select(_ => 1L).ToArray();
            long rest = start;
            for (int d = 0; d < inner.Length; d++)
            {
                offset[d] += rest / inner[d];
                rest %= inner[d];
            }
            long taken = 1;
            if (dim < inner.Length)
            {
                shape[dim] = Math.Min(count / inner[dim], localShape[dim] - (start / inner[dim] % localShape[dim]));
                localShape.AsSpan(dim + 1).CopyTo(shape.AsSpan(dim + 1));
                taken = shape[dim] * inner[dim];
            }
            yield return new StateSlice(name, type, globalShape, offset, shape, address);
            address += (nint)(taken * type.SizeBytes());
            start += taken;
            count -= taken;
        }
    }
}
