using Uniscale.Collectives.Reduction;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>
/// Reductions out of messages. MPI's own reductions sum in an order that depends on their algorithm and round 16-bit floats
/// after every addition; here each member sums one part in the order of the ranks, so that the result has the same bits as in one process.
/// Parts travel in chunks: while one is summed, the next is on its way.
/// </summary>
internal static class MpiAlgorithms
{
    private const int ReduceTag = 0;
    private const int GatherTag = 1;

    /// <summary>
    /// Bytes, over all members, below which everybody gathers everything and sums alone: one message time instead of two.
    /// </summary>
    private const int SmallBytes = 64 * 1024;

    private const int MaxChunkBytes = 1 << 20;
    private const int MinChunkBytes = 128 * 1024;

    public static MpiElement Element(ElementType type) =>
        type switch
        {
            ElementType.UInt8 => MpiElement.UInt8,
            ElementType.Int32 => MpiElement.Int32,
            ElementType.Int64 => MpiElement.Int64,
            ElementType.BFloat16 => MpiElement.BFloat16,
            ElementType.Float16 => MpiElement.Float16,
            ElementType.Float32 => MpiElement.Float32,
            _ => MpiElement.Float64,
        };

    /// <summary>Reduces in place.</summary>
    public static IEnumerable<MpiRequest> AllReduce(MpiCommunicator communicator, CommBuffer buffer, ReduceOp op)
    {
        int size = communicator.Size;
        if (size == 1 || buffer.Count == 0)
            return [];
        return buffer.Count * buffer.Type.SizeBytes() * size <= SmallBytes
            ? GatherAndReduce(communicator, buffer, op)
            : SlicedReduction.AllReduce(communicator, buffer, op, ReduceTag, GatherTag);
    }

    /// <summary>Reduces parts; part Rank lands in the output.</summary>
    public static IEnumerable<MpiRequest> ReduceScatter(MpiCommunicator communicator, CommBuffer input, CommBuffer output, ReduceOp op) =>
        output.Count == 0 ? [] : SlicedReduction.ReduceScatter(communicator, input, output, op, ReduceTag);

    /// <summary>
    /// Elements of a chunk: small enough that a chunk of every member stays in cache, large enough to be worth a message.
    /// </summary>
    public static long ChunkCount(int size, ElementType type) =>
        Math.Clamp((4 << 20) / size, MinChunkBytes, MaxChunkBytes) / type.SizeBytes();

    /// <summary>
    /// Everybody's input goes to all with a word for what it is summed as. MPI matches collectives by their order alone: one that meets
    /// another kind may end as
    /// if all were well, with what lay in memory.
    /// </summary>
    private static IEnumerable<MpiRequest> GatherAndReduce(MpiCommunicator communicator, CommBuffer buffer, ReduceOp op)
    {
        long word = CheckWord(buffer, op);
        int bytes = (int)buffer.Count * buffer.Type.SizeBytes(),
            stride = (bytes + 2 * sizeof(long) - 1) / sizeof(long) * sizeof(long);
        nint all = RawMemory.Allocate((long)stride * communicator.Size);
        ref long WordOf(int rank) => ref RawMemory.Span<long>(all + (rank + 1) * stride - sizeof(long), 1)[0];
        try
        {
            RawMemory.Clear(all, (long)stride * communicator.Size);
            RawMemory.Copy(buffer.Address, all + communicator.Rank * stride, bytes);
            WordOf(communicator.Rank) = word;
            yield return communicator.StartAllGather(all + communicator.Rank * stride, all, stride, MpiElement.UInt8);
            for (int rank = 0; rank < communicator.Size; rank++)
                if (WordOf(rank) != word)
                    throw Mismatch(communicator, rank, buffer);
            nint[] sources = [.. Enumerable.Range(0, communicator.Size).Select(rank => all + rank * stride)];
            Reducer.Reduce(sources, [buffer.Address], 0, buffer.Count, buffer.Type, op);
        }
        finally
        {
            RawMemory.Free(all);
        }
    }

    private static CollectiveException Mismatch(MpiCommunicator communicator, int member, CommBuffer buffer) =>
        new(
            FormattableString.Invariant(
                $"member {member} of group {communicator.Name} posted another operation where member {communicator.Rank} reduces {buffer.Count:N0} {buffer.Type}"
            )
        );

    /// <summary>Never zero, and the same in all processes.</summary>
    private static long CheckWord(CommBuffer buffer, ReduceOp op) => (buffer.Count << 16) | ((long)buffer.Type << 8) | ((long)op << 4) | 1;
}
