namespace Uniscale.Mpi;

public sealed partial class MpiCommunicator
{
    /// <summary>Reduces a buffer in place.</summary>
    public void AllReduce(nint buffer, long count, MpiElement type, MpiReduction reduction = MpiReduction.Sum)
    {
        for (long offset = 0; offset < count; offset += MpiRuntime.MaxCount)
        {
            int n = (int)Math.Min(MpiRuntime.MaxCount, count - offset);
            Check(
                _mpi.Binding.AllReduce(
                    _mpi.Handles.InPlace,
                    buffer + At(offset, type),
                    n,
                    _mpi.TypeOf(type),
                    _mpi.OpOf(type, reduction),
                    _handle
                ),
                new("all-reduce", count, type)
            );
        }
    }

    /// <summary>
    /// Reduces Size × <paramref name="count"/> elements; part Rank lands in <paramref name="output"/>, which does not overlap the input.
    /// </summary>
    public void ReduceScatter(nint input, nint output, long count, MpiElement type, MpiReduction reduction = MpiReduction.Sum)
    {
        if (count * Size > MpiRuntime.MaxCount)
        {
            StartReduceScatter(input, output, count, type, reduction).Wait();
            return;
        }
        int[] counts = new int[Size];
        Array.Fill(counts, (int)count);
        Check(
            _mpi.Binding.ReduceScatter(input, output, counts, _mpi.TypeOf(type), _mpi.OpOf(type, reduction), _handle),
            new("reduce-scatter", count, type)
        );
    }

    /// <summary>Gathers every member's <paramref name="count"/> elements; the input may be part Rank of the output.</summary>
    public void AllGather(nint input, nint output, long count, MpiElement type)
    {
        if (count > MpiRuntime.MaxCount)
            StartAllGather(input, output, count, type).Wait();
        else
            Check(
                _mpi.Binding.AllGather(InPlaceOf(input, output, count, type), output, (int)count, _mpi.TypeOf(type), _handle),
                new("all-gather", count, type)
            );
    }

    /// <summary>Exchanges parts of <paramref name="count"/> elements; the input does not overlap the output.</summary>
    public void AllToAll(nint input, nint output, long count, MpiElement type)
    {
        if (count > MpiRuntime.MaxCount)
            StartAllToAll(input, output, count, type).Wait();
        else
            Check(_mpi.Binding.AllToAll(input, output, (int)count, _mpi.TypeOf(type), _handle), new("all-to-all", count, type));
    }

    /// <summary>Copies the root's buffer to all.</summary>
    public void Broadcast(nint buffer, long count, MpiElement type, int root)
    {
        if (count > MpiRuntime.MaxCount)
            StartBroadcast(buffer, count, type, root).Wait();
        else
            Check(_mpi.Binding.Broadcast(buffer, (int)count, _mpi.TypeOf(type), root, _handle), new("broadcast", count, type));
    }

    /// <summary>Sends.</summary>
    public void Send(nint buffer, long count, MpiElement type, int peer, int tag = 0) => StartSend(buffer, count, type, peer, tag).Wait();

    /// <summary>Receives; fails when the sender's count is another.</summary>
    public void Receive(nint buffer, long count, MpiElement type, int peer, int tag = 0) =>
        StartReceive(buffer, count, type, peer, tag).Wait();

    /// <summary>Waits for all members.</summary>
    public void Barrier() => Check(_mpi.Binding.Barrier(_handle), new("barrier", 0, MpiElement.UInt8));
}
