namespace Uniscale.Mpi;

public sealed unsafe partial class MpiCommunicator
{
    /// <summary>Reduces a buffer in place.</summary>
    public void AllReduce(nint buffer, long count, MpiElement type, MpiReduction reduction = MpiReduction.Sum)
    {
        for (long offset = 0; offset < count; offset += MpiRuntime.MaxCount)
        {
            int n = (int)Math.Min(MpiRuntime.MaxCount, count - offset);
            Check(_mpi.Functions.Allreduce(
                _mpi.Handles.InPlace, buffer + At(offset, type), n, _mpi.TypeOf(type), _mpi.OpOf(type, reduction), _handle), new("all-reduce", count, type));
        }
    }

    /// <summary>Reduces Size × <paramref name="count"/> elements; part Rank lands in <paramref name="output"/>, which does not overlap the input.</summary>
    public void ReduceScatter(nint input, nint output, long count, MpiElement type, MpiReduction reduction = MpiReduction.Sum) =>
        StartReduceScatter(input, output, count, type, reduction).Wait();

    /// <summary>Gathers every member's <paramref name="count"/> elements; the input may be part Rank of the output.</summary>
    public void AllGather(nint input, nint output, long count, MpiElement type) => StartAllGather(input, output, count, type).Wait();

    /// <summary>Exchanges parts of <paramref name="count"/> elements; the input does not overlap the output.</summary>
    public void AllToAll(nint input, nint output, long count, MpiElement type) => StartAllToAll(input, output, count, type).Wait();

    /// <summary>Copies the root's buffer to all.</summary>
    public void Broadcast(nint buffer, long count, MpiElement type, int root) => StartBroadcast(buffer, count, type, root).Wait();

    /// <summary>Sends.</summary>
    public void Send(nint buffer, long count, MpiElement type, int peer, int tag = 0) => StartSend(buffer, count, type, peer, tag).Wait();

    /// <summary>Receives; fails when the sender's count is another.</summary>
    public void Receive(nint buffer, long count, MpiElement type, int peer, int tag = 0) =>
        StartReceive(buffer, count, type, peer, tag).Wait();

    /// <summary>Waits for all members.</summary>
    public void Barrier() => StartBarrier().Wait();
}
