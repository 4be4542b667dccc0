using System.Numerics;
using System.Numerics.Tensors;
using Uniscale.Mpi.Arithmetic;

namespace Uniscale.Collectives.Reduction;

/// <summary>
/// Reduces buffers element by element, in the order of the sources: the same sources give the same bits wherever and in
/// however many pieces it is done. 16-bit floats are summed in single precision and rounded once.
/// </summary>
internal static class Reducer
{
    /// <summary>Elements of a block: a block of single precision and its sources stay in the first-level cache.</summary>
    private const int Block = 2048;

    /// <summary>
    /// Reduces elements [<paramref name="offset"/>, offset + count) of every source into every destination. A destination may be
    /// one of the sources; otherwise they may not overlap.
    /// </summary>
    public static void Reduce(
        ReadOnlySpan<nint> sources,
        ReadOnlySpan<nint> destinations,
        long offset,
        long count,
        ElementType type,
        ReduceOp op
    )
    {
        switch (type)
        {
            case ElementType.Float32:
                Native<float>(sources, destinations, offset, count, op);
                break;
            case ElementType.Float64:
                Native<double>(sources, destinations, offset, count, op);
                break;
            case ElementType.Int32:
                Native<int>(sources, destinations, offset, count, op);
                break;
            case ElementType.Int64:
                Native<long>(sources, destinations, offset, count, op);
                break;
            case ElementType.UInt8:
                Native<byte>(sources, destinations, offset, count, op);
                break;
            case ElementType.BFloat16:
                Wide<ushort>(sources, destinations, offset, count, op, BrainFloat.Widen, BrainFloat.Narrow);
                break;
            case ElementType.Float16:
                Wide<Half>(sources, destinations, offset, count, op, TensorPrimitives.ConvertToSingle, TensorPrimitives.ConvertToHalf);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type));
        }
    }

    private delegate void Widen<T>(ReadOnlySpan<T> source, Span<float> destination);

    private delegate void Narrow<T>(ReadOnlySpan<float> source, Span<T> destination);

    private static void Native<T>(ReadOnlySpan<nint> sources, ReadOnlySpan<nint> destinations, long offset, long count, ReduceOp op)
        where T : unmanaged, INumber<T>
    {
        Span<T> block = stackalloc T[Block];
        // A sum of two is done once it is written, so it may go straight over one of them.
        bool direct = sources.Length == 2;
        for (long done = 0; done < count; done += Block)
        {
            int n = (int)Math.Min(Block, count - done);
            var sum = direct ? At<T>(destinations[0], offset + done, n) : block[..n];
            if (sources.Length == 1)
                At<T>(sources[0], offset + done, n).CopyTo(sum);
            else
                Combine(At<T>(sources[0], offset + done, n), At<T>(sources[1], offset + done, n), sum, op);
            for (int s = 2; s < sources.Length; s++)
                Combine(sum, At<T>(sources[s], offset + done, n), sum, op);
            foreach (nint destination in direct ? destinations[1..] : destinations)
                sum.CopyTo(At<T>(destination, offset + done, n));
        }
    }

    private static void Wide<T>(
        ReadOnlySpan<nint> sources,
        ReadOnlySpan<nint> destinations,
        long offset,
        long count,
        ReduceOp op,
        Widen<T> widen,
        Narrow<T> narrow
    )
        where T : unmanaged
    {
        Span<float> block = stackalloc float[Block];
        Span<float> next = stackalloc float[Block];
        Span<T> rounded = stackalloc T[Block];
        for (long done = 0; done < count; done += Block)
        {
            int n = (int)Math.Min(Block, count - done);
            var sum = block[..n];
            widen(At<T>(sources[0], offset + done, n), sum);
            foreach (nint source in sources[1..])
            {
                widen(At<T>(source, offset + done, n), next);
                Combine(sum, next[..n], sum, op);
            }
            narrow(sum, rounded);
            foreach (nint destination in destinations)
                rounded[..n].CopyTo(At<T>(destination, offset + done, n));
        }
    }

    private static void Combine<T>(ReadOnlySpan<T> left, ReadOnlySpan<T> right, Span<T> result, ReduceOp op)
        where T : INumber<T>
    {
        switch (op)
        {
            case ReduceOp.Sum:
                TensorPrimitives.Add(left, right, result);
                break;
            case ReduceOp.Max:
                TensorPrimitives.Max(left, right, result);
                break;
            case ReduceOp.Min:
                TensorPrimitives.Min(left, right, result);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(op));
        }
    }

    private static Span<T> At<T>(nint address, long offset, int count)
        where T : unmanaged => RawMemory.Span<T>(address + (nint)(offset * System.Runtime.CompilerServices.Unsafe.SizeOf<T>()), count);
}
