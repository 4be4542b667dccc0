using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.Memory;

namespace Uniscale.Checkpoints.Loading;

/// <summary>
/// Carries the common part of a stored slice and a wanted slice over, while the stored bytes come by from first to last.
/// Both are row-major, so the common part is a row of runs that lie in order in the stored bytes; trailing dims that are whole on both
/// sides are folded, which makes the runs as long as they can be.
/// </summary>
internal sealed class SliceCopy
{
    private readonly nint _destination;
    private readonly long _runBytes;
    private readonly long[] _extents;
    private readonly long[] _storedStrides;
    private readonly long[] _wantedStrides;
    private readonly long[] _index;
    private long _storedStart;
    private long _wantedStart;
    private bool _done;

    private SliceCopy(Box stored, Box wanted, Box common, int elementBytes, nint destination)
    {
        _destination = destination;
        int dims = common.Shape.Length;
        long[] storedStrides = Strides(stored.Shape, elementBytes);
        long[] wantedStrides = Strides(wanted.Shape, elementBytes);
        int split = dims;
        _runBytes = elementBytes;
        while (split > 0)
        {
            split--;
            _runBytes *= common.Shape[split];
            if (common.Shape[split] != stored.Shape[split] || common.Shape[split] != wanted.Shape[split])
                break;
        }
        _extents = common.Shape[..split];
        _storedStrides = storedStrides[..split];
        _wantedStrides = wantedStrides[..split];
        _index = new long[split];
        for (int dim = 0; dim < dims; dim++)
        {
            _storedStart += (common.Offset[dim] - stored.Offset[dim]) * storedStrides[dim];
            _wantedStart += (common.Offset[dim] - wanted.Offset[dim]) * wantedStrides[dim];
        }
    }

    /// <summary>The copy of what two slices have in common, or null where that is nothing.</summary>
    public static SliceCopy? Of(Box stored, Box wanted, int elementBytes, nint destination)
    {
        var common = stored.Intersect(wanted);
        return common.Count == 0 ? null : new SliceCopy(stored, wanted, common, elementBytes, destination);
    }

    /// <summary>True where bytes before this place of the stored slice are still to be carried over.</summary>
    public bool Needs(long end) => !_done && _storedStart < end;

    /// <summary>Takes what it needs of the stored slice's bytes that begin at <paramref name="start"/>.</summary>
    public void Take(long start, ReadOnlySpan<byte> bytes)
    {
        long end = start + bytes.Length;
        while (Needs(end))
        {
            long from = Math.Max(start, _storedStart);
            long to = Math.Min(end, _storedStart + _runBytes);
            var piece = bytes[(int)(from - start)..(int)(to - start)];
            piece.CopyTo(PageMemory.Span(_destination + (nint)(_wantedStart + from - _storedStart), piece.Length));
            if (to < _storedStart + _runBytes)
                return;
            NextRun();
        }
    }

    private void NextRun()
    {
        for (int dim = _extents.Length - 1; dim >= 0; dim--)
        {
            _storedStart += _storedStrides[dim];
            _wantedStart += _wantedStrides[dim];
            if (++_index[dim] < _extents[dim])
                return;
            _index[dim] = 0;
            _storedStart -= _storedStrides[dim] * _extents[dim];
            _wantedStart -= _wantedStrides[dim] * _extents[dim];
        }
        _done = true;
    }

    private static long[] Strides(long[] shape, int elementBytes)
    {
        long[] strides = new long[shape.Length];
        long stride = elementBytes;
        for (int dim = shape.Length - 1; dim >= 0; dim--)
        {
            strides[dim] = stride;
            stride *= shape[dim];
        }
        return strides;
    }
}
