using Uniscale.Collectives.Reduction;
using Uniscale.Mpi;

namespace Uniscale.Collectives.Mpi;

/// <summary>One reduction in which member r sums part r of everybody's input, chunk by chunk.</summary>
internal sealed class SlicedReduction : IDisposable
{
    /// <summary>Parts begin at multiples of this many elements, so that no two members write one cache line.</summary>
    private const long Alignment = 64;

    private readonly MpiCommunicator _communicator;
    private readonly CommBuffer _input;
    private readonly CommBuffer _output;
    private readonly ReduceOp _op;
    private readonly MpiElement _type;
    private readonly long _chunkCount;
    private readonly nint _landing;

    private SlicedReduction(MpiCommunicator communicator, CommBuffer input, CommBuffer output, ReduceOp op)
    {
        _communicator = communicator;
        _input = input;
        _output = output;
        _op = op;
        _type = MpiAlgorithms.Element(input.Type);
        _chunkCount = Math.Min(MpiAlgorithms.ChunkCount(communicator.Size, input.Type), Math.Max(1, input.Count));
        _landing = RawMemory.Allocate(2 * communicator.Size * _chunkCount * input.Type.SizeBytes());
    }

    /// <summary>Leaves the sum of part Rank in the output.</summary>
    public static IEnumerable<MpiRequest> ReduceScatter(
        MpiCommunicator communicator,
        CommBuffer input,
        CommBuffer output,
        ReduceOp op,
        int tag
    )
    {
        using var reduction = new SlicedReduction(communicator, input, output, op);
        foreach (var request in reduction.ReduceScatter(tag))
            yield return request;
    }

    /// <summary>Leaves the whole sum in the buffer.</summary>
    public static IEnumerable<MpiRequest> AllReduce(
        MpiCommunicator communicator,
        CommBuffer buffer,
        ReduceOp op,
        int reduceTag,
        int gatherTag
    )
    {
        using var reduction = new SlicedReduction(communicator, buffer, buffer, op);
        foreach (var request in reduction.AllReduce(reduceTag, gatherTag))
            yield return request;
    }

    public void Dispose() => RawMemory.Free(_landing);

    private IEnumerable<MpiRequest> ReduceScatter(int tag)
    {
        long part = _output.Count;
        CommBuffer PartChunk(int member, int k) => Chunk(_input, member * part, part, k);
        int chunks = ChunksOf(part);
        var next = Exchange(0, PartChunk, tag);
        for (int k = 0; k < chunks; k++)
        {
            var current = next;
            if (k + 1 < chunks)
                next = Exchange(k + 1, PartChunk, tag);
            foreach (var request in current.Receives)
                yield return request;
            Reduce(k, PartChunk(_communicator.Rank, k), Chunk(_output, 0, part, k));
            foreach (var request in current.Sends)
                yield return request;
        }
    }

    private IEnumerable<MpiRequest> AllReduce(int reduceTag, int gatherTag)
    {
        CommBuffer PartChunk(int member, int k) => Chunk(_input, PartStart(member), PartStart(member + 1) - PartStart(member), k);
        var gathers = new List<MpiRequest>();
        int chunks = Enumerable.Range(0, _communicator.Size).Max(member => ChunksOf(PartStart(member + 1) - PartStart(member)));
        var next = Exchange(0, PartChunk, reduceTag);
        for (int k = 0; k < chunks; k++)
        {
            var current = next;
            if (k + 1 < chunks)
                next = Exchange(k + 1, PartChunk, reduceTag);
            foreach (var request in current.Receives)
                yield return request;
            var mine = PartChunk(_communicator.Rank, k);
            Reduce(k, mine, mine);
            foreach (int peer in Peers())
                Send(gathers, mine, peer, gatherTag);
            // What was sent lies where the sums of the others land.
            foreach (var request in current.Sends)
                yield return request;
            foreach (int peer in Peers())
                Receive(gathers, PartChunk(peer, k), peer, gatherTag);
        }
        foreach (var request in gathers)
            yield return request;
    }

    /// <summary>Starts sending everybody their chunk of this rank's input and receiving everybody's input of this rank's chunk.</summary>
    private (List<MpiRequest> Receives, List<MpiRequest> Sends) Exchange(int k, Func<int, int, CommBuffer> partChunk, int tag)
    {
        var (receives, sends) = (new List<MpiRequest>(), new List<MpiRequest>());
        long mine = partChunk(_communicator.Rank, k).Count;
        foreach (int peer in Peers())
        {
            Receive(receives, new CommBuffer(LandingOf(k, peer), mine, _input.Type), peer, tag);
            Send(sends, partChunk(peer, k), peer, tag);
        }
        return (receives, sends);
    }

    private void Reduce(int k, CommBuffer mine, CommBuffer destination)
    {
        if (mine.Count == 0)
            return;
        Span<nint> sources = stackalloc nint[_communicator.Size];
        for (int member = 0; member < sources.Length; member++)
            sources[member] = member == _communicator.Rank ? mine.Address : LandingOf(k, member);
        Reducer.Reduce(sources, [destination.Address], 0, mine.Count, mine.Type, _op);
    }

    private void Send(List<MpiRequest> requests, CommBuffer chunk, int peer, int tag)
    {
        if (chunk.Count > 0)
            requests.Add(_communicator.StartSend(chunk.Address, chunk.Count, _type, peer, tag));
    }

    private void Receive(List<MpiRequest> requests, CommBuffer chunk, int peer, int tag)
    {
        if (chunk.Count > 0)
            requests.Add(_communicator.StartReceive(chunk.Address, chunk.Count, _type, peer, tag));
    }

    /// <summary>The other members, beginning after this one so that not all begin with the same.</summary>
    private IEnumerable<int> Peers() =>
        Enumerable.Range(1, _communicator.Size - 1).Select(step => (_communicator.Rank + step) % _communicator.Size);

    /// <summary>Where a member's chunk lands; chunks k and k + 1 are held at once.</summary>
    private nint LandingOf(int k, int member) =>
        _landing + (nint)((k % 2 * _communicator.Size + member) * _chunkCount * _input.Type.SizeBytes());

    private long PartStart(int member) =>
        member == _communicator.Size ? _input.Count : member * _input.Count / _communicator.Size / Alignment * Alignment;

    private int ChunksOf(long count) => checked((int)((count + _chunkCount - 1) / _chunkCount));

    private CommBuffer Chunk(CommBuffer buffer, long start, long count, int k) =>
        buffer.Slice(start + k * _chunkCount, Math.Clamp(count - k * _chunkCount, 0, _chunkCount));
}
