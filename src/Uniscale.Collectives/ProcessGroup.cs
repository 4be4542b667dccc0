using Uniscale.Collectives.Journal;

namespace Uniscale.Collectives;

/// <summary>What every kind of group does alike: checks the buffers and describes the operation.</summary>
internal abstract class ProcessGroup(string name, int rank, IReadOnlyList<int> worldRanks) : IProcessGroup
{
    public string Name { get; } = name;

    public int Rank { get; } = rank;

    public int Size => WorldRanks.Count;

    public IReadOnlyList<int> WorldRanks { get; } = worldRanks;

    public IWork AllReduce(CommBuffer buffer, ReduceOp op = ReduceOp.Sum) =>
        Post(new(OperationKind.AllReduce, buffer.Count, buffer.Type, op), buffer, buffer);

    public IWork ReduceScatter(CommBuffer input, CommBuffer output, ReduceOp op = ReduceOp.Sum)
    {
        CheckParts("reduce-scatter", whole: input, part: output);
        CheckOverlap("reduce-scatter", whole: input, part: output);
        return Post(new(OperationKind.ReduceScatter, input.Count, input.Type, op), input, output);
    }

    public IWork AllGather(CommBuffer input, CommBuffer output)
    {
        CheckParts("all-gather", whole: output, part: input);
        CheckOverlap("all-gather", whole: output, part: input);
        return Post(new(OperationKind.AllGather, input.Count, input.Type), input, output);
    }

    public IWork Broadcast(CommBuffer buffer, int root)
    {
        CheckPeer(root);
        return Post(new(OperationKind.Broadcast, buffer.Count, buffer.Type, Peer: root), buffer, buffer);
    }

    public IWork AllToAll(CommBuffer input, CommBuffer output)
    {
        if (input.Count != output.Count || input.Type != output.Type || input.Count % Size != 0)
            throw new ArgumentException(
                $"all-to-all in {Name}: {input.Count} {input.Type} to {output.Count} {output.Type} " + $"do not split into {Size} parts"
            );
        if (Overlap(input, output))
            throw new ArgumentException($"all-to-all in {Name}: the input and the output overlap");
        return Post(new(OperationKind.AllToAll, input.Count, input.Type), input, output);
    }

    public IWork Send(CommBuffer buffer, int peer, int tag = 0)
    {
        CheckPeer(peer);
        ArgumentOutOfRangeException.ThrowIfNegative(tag);
        return Post(new(OperationKind.Send, buffer.Count, buffer.Type, Peer: peer, Tag: tag), buffer, buffer);
    }

    public IWork Receive(CommBuffer buffer, int peer, int tag = 0)
    {
        CheckPeer(peer);
        ArgumentOutOfRangeException.ThrowIfNegative(tag);
        return Post(new(OperationKind.Receive, buffer.Count, buffer.Type, Peer: peer, Tag: tag), buffer, buffer);
    }

    public IWork Barrier() => Post(new(OperationKind.Barrier, 0, ElementType.UInt8), default, default);

    public virtual SharedMemory? Share(long bytes) => null;

    public abstract void Dispose();

    /// <summary>Hands an operation over.</summary>
    protected abstract IWork Post(in OperationSignature signature, CommBuffer input, CommBuffer output);

    /// <summary>A group's name with its members: <c>dp[0,2]</c>; long lists keep their ends.</summary>
    public static string NameOf(string name, IReadOnlyList<int> worldRanks) =>
        worldRanks.Count <= 8
            ? $"{name}[{string.Join(',', worldRanks)}]"
            : $"{name}[{worldRanks[0]},{worldRanks[1]},...,{worldRanks[^1]}; {worldRanks.Count} ranks]";

    private void CheckPeer(int peer)
    {
        if ((uint)peer >= (uint)Size)
            throw new ArgumentOutOfRangeException(nameof(peer), $"{Name} has {Size} members; there is no {peer}");
    }

    private void CheckParts(string operation, CommBuffer whole, CommBuffer part)
    {
        if (whole.Type != part.Type || whole.Count != part.Count * Size)
            throw new ArgumentException(
                $"{operation} in {Name}: {whole.Count} {whole.Type} are not {Size} parts of {part.Count} {part.Type}"
            );
    }

    private void CheckOverlap(string operation, CommBuffer whole, CommBuffer part)
    {
        if (Overlap(whole, part) && part.Address != whole.Slice(Rank * part.Count, part.Count).Address)
            throw new ArgumentException($"{operation} in {Name}: the part overlaps the whole but is not part {Rank} of it");
    }

    private static bool Overlap(CommBuffer a, CommBuffer b) =>
        a.Address < b.Address + (nint)b.Count * b.Type.SizeBytes() && b.Address < a.Address + (nint)a.Count * a.Type.SizeBytes();
}
