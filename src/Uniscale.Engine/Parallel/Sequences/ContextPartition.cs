using Uniscale.Engine.Devices;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Parallel.Sequences;

/// <summary>
/// How a sequence lies on the context axis: cut into 2·size chunks, of which rank r holds chunks r and 2·size − 1 − r. An early chunk,
/// which
/// sees few keys, is paired with a late one, so that causal attention costs every rank the same.
/// </summary>
public static class ContextPartition
{
    /// <summary>Indices in the sequence of a rank's tokens, ascending within its two chunks.</summary>
    /// <exception cref="ArgumentException">The length is not a multiple of 2·size.</exception>
    public static long[] Indices(long length, int size, int rank)
    {
        if (size == 1)
            return [.. LongRange(0, length)];
        if (length % (2L * size) != 0)
            throw new ArgumentException(
                $"A sequence of {length} tokens cannot be cut into {2 * size} equal chunks for {size} ranks of the context axis."
            );
        long chunk = length / (2L * size);
        return [.. LongRange(rank * chunk, chunk), .. LongRange(((2L * size) - 1 - rank) * chunk, chunk)];
    }

    /// <summary>A rank's tokens of a tensor [batch, sequence, ...].</summary>
    public static Tensor Select(Tensor whole, int size, int rank)
    {
        using var scope = NewDisposeScope();
        var indices = OfRank(whole.size(1), size, rank, whole.device);
        return whole.index_select(1, indices).MoveToOuterDisposeScope();
    }

    /// <summary>Indices of a rank's tokens as positions, int64 [1, length/size].</summary>
    internal static Tensor Positions(long length, int size, int rank, Device device)
    {
        using var scope = NewDisposeScope();
        var positions =
            size == 1 ? arange(Scalars.Of(0), Scalars.Of(length), Scalars.One, int64, device) : OfRank(length, size, rank, device);
        return positions.unsqueeze(0).MoveToOuterDisposeScope();
    }

    /// <summary>Order that sorts the ranks' tokens, joined rank by rank along the sequence, into the sequence: int64 [length].</summary>
    internal static Tensor ToSequence(long length, int size, Device device) =>
        DeviceConstants.Of((nameof(ToSequence), length, size), device, _ => from_array(Inverse(length, size)));

    /// <summary>Reverses <see cref="ToSequence"/>.</summary>
    internal static Tensor FromSequence(long length, int size, Device device) =>
        DeviceConstants.Of(
            (nameof(FromSequence), length, size),
            device,
            _ => from_array(Enumerable.Range(0, size).SelectMany(rank => Indices(length, size, rank)).ToArray())
        );

    private static Tensor OfRank(long length, int size, int rank, Device device) =>
        DeviceConstants.Of((nameof(OfRank), length, size, rank), device, _ => from_array(Indices(length, size, rank)));

    private static long[] Inverse(long length, int size)
    {
        long[] inverse = new long[length];
        long place = 0;
        for (int rank = 0; rank < size; rank++)
            foreach (long index in Indices(length, size, rank))
                inverse[index] = place++;
        return inverse;
    }

    private static IEnumerable<long> LongRange(long start, long count)
    {
        for (long i = 0; i < count; i++)
            yield return start + i;
    }
}
