namespace Uniscale.Mpi;

public sealed unsafe partial class MpiCommunicator
{
    /// <summary>Starts reducing a buffer in place.</summary>
    public MpiRequest StartAllReduce(nint buffer, long count, MpiElement type, MpiReduction reduction = MpiReduction.Sum) =>
        Chunked(
            new("all-reduce", count, type),
            (offset, n) =>
            {
                nint request;
                int code = _mpi.Direct.Iallreduce(
                    _mpi.Handles.InPlace,
                    buffer + At(offset, type),
                    n,
                    _mpi.TypeOf(type),
                    _mpi.OpOf(type, reduction),
                    _handle,
                    &request
                );
                return (code, request);
            }
        );

    /// <summary>
    /// Starts reducing Size × <paramref name="count"/> elements; part Rank lands in <paramref name="output"/>, which does not overlap the
    /// input.
    /// </summary>
    public MpiRequest StartReduceScatter(nint input, nint output, long count, MpiElement type, MpiReduction reduction = MpiReduction.Sum)
    {
        var call = new MpiCall("reduce-scatter", count, type);
        nint mpiType = _mpi.TypeOf(type),
            op = _mpi.OpOf(type, reduction);
        if (count <= MpiRuntime.MaxCount)
        {
            nint request;
            int code = _mpi.Direct.IreduceScatterBlock(input, output, (int)count, mpiType, op, _handle, &request);
            return Started(code, call, request);
        }
        var requests = new List<nint>();
        for (int root = 0; root < Size; root++)
            for (long offset = 0; offset < count; offset += MpiRuntime.MaxCount)
            {
                nint request;
                int n = (int)Math.Min(MpiRuntime.MaxCount, count - offset);
                Check(
                    _mpi.Direct.Ireduce(
                        input + At(root * count + offset, type),
                        output + At(offset, type),
                        n,
                        mpiType,
                        op,
                        root,
                        _handle,
                        &request
                    ),
                    call
                );
                requests.Add(request);
            }
        return new MpiRequest(_mpi, this, call, [.. requests]);
    }

    /// <summary>Starts gathering every member's <paramref name="count"/> elements; the input may be part Rank of the output.</summary>
    public MpiRequest StartAllGather(nint input, nint output, long count, MpiElement type)
    {
        var (mpiType, n, owned) = Whole(count, type);
        nint request;
        int code = _mpi.Direct.Iallgather(InPlaceOf(input, output, count, type), n, mpiType, output, n, mpiType, _handle, &request);
        return Started(code, new("all-gather", count, type), request, owned);
    }

    /// <summary>Starts the exchange of parts of <paramref name="count"/> elements; the input does not overlap the output.</summary>
    public MpiRequest StartAllToAll(nint input, nint output, long count, MpiElement type)
    {
        var (mpiType, n, owned) = Whole(count, type);
        nint request;
        int code = _mpi.Direct.Ialltoall(input, n, mpiType, output, n, mpiType, _handle, &request);
        return Started(code, new("all-to-all", count, type), request, owned);
    }

    /// <summary>Starts copying the root's buffer to all.</summary>
    public MpiRequest StartBroadcast(nint buffer, long count, MpiElement type, int root) =>
        Chunked(
            new("broadcast", count, type),
            (offset, n) =>
            {
                nint request;
                return (_mpi.Direct.Ibcast(buffer + At(offset, type), n, _mpi.TypeOf(type), root, _handle, &request), request);
            }
        );

    /// <summary>Starts sending.</summary>
    public MpiRequest StartSend(nint buffer, long count, MpiElement type, int peer, int tag = 0) =>
        Chunked(
            new("send", count, type, peer, tag),
            (offset, n) =>
            {
                int code = _mpi.Binding.Send(buffer + At(offset, type), n, _mpi.TypeOf(type), peer, tag, _handle, out nint request);
                return (code, request);
            }
        );

    /// <summary>Starts receiving; fails when the sender's count is another, unless the sender may be <see cref="AnyRank"/>.</summary>
    public MpiRequest StartReceive(nint buffer, long count, MpiElement type, int peer, int tag = 0)
    {
        int source = peer == AnyRank ? _mpi.Handles.AnySource : peer;
        return Chunked(
            new("receive", count, type, peer, tag),
            (offset, n) =>
            {
                int code = _mpi.Binding.Receive(buffer + At(offset, type), n, _mpi.TypeOf(type), source, tag, _handle, out nint request);
                return (code, request);
            },
            expectedBytes: peer == AnyRank ? -1 : count * type.SizeBytes()
        );
    }

    /// <summary>Starts a barrier.</summary>
    public MpiRequest StartBarrier()
    {
        nint request;
        int code = _mpi.Direct.Ibarrier(_handle, &request);
        return Started(code, new("barrier", 0, MpiElement.UInt8), request);
    }

    /// <summary>Starts an operation in calls of at most <see cref="MpiRuntime.MaxCount"/> elements; one call when there are none.</summary>
    private MpiRequest Chunked(in MpiCall call, Func<long, int, (int Code, nint Request)> start, long expectedBytes = -1)
    {
        nint[] requests = new nint[Math.Max(1, (call.Count + MpiRuntime.MaxCount - 1) / MpiRuntime.MaxCount)];
        for (int i = 0; i < requests.Length; i++)
        {
            long offset = i * MpiRuntime.MaxCount;
            (int code, requests[i]) = start(offset, (int)Math.Min(MpiRuntime.MaxCount, call.Count - offset));
            Check(code, call);
        }
        return new MpiRequest(_mpi, this, call, requests, expectedBytes: expectedBytes);
    }

    private MpiRequest Started(int code, in MpiCall call, nint request, nint ownedType = 0)
    {
        Check(code, call);
        return new MpiRequest(_mpi, this, call, [request], ownedType);
    }

    /// <summary>
    /// A type and an int that together mean <paramref name="count"/> elements; past the limit, one element of a type made for it.
    /// </summary>
    private (nint Type, int Count, nint Owned) Whole(long count, MpiElement type)
    {
        nint element = _mpi.TypeOf(type);
        if (count <= MpiRuntime.MaxCount)
            return (element, (int)count, 0);
        var (blocks, rest) = Math.DivRem(count, MpiRuntime.MaxCount);
        var call = new MpiCall("type", count, type);
        Check(_mpi.Binding.Contiguous((int)MpiRuntime.MaxCount, element, out nint block), call);
        Check(_mpi.Binding.Contiguous((int)blocks, block, out nint blockRow), call);
        Check(_mpi.Binding.Contiguous((int)rest, element, out nint tail), call);
        int* lengths = stackalloc int[] { 1, 1 };
        nint* offsets = stackalloc nint[] { 0, At(blocks * MpiRuntime.MaxCount, type) };
        nint* types = stackalloc nint[] { blockRow, tail };
        if (_mpi.Handles.AreIntegers)
            ((int*)types)[1] = (int)tail;
        nint whole;
        Check(_mpi.Direct.TypeCreateStruct(2, lengths, offsets, types, &whole), call);
        Check(_mpi.Binding.Commit(ref whole), call);
        foreach (nint used in (ReadOnlySpan<nint>)[block, blockRow, tail])
        {
            nint handle = used;
            Check(_mpi.Binding.FreeType(ref handle), call);
        }
        return (whole, 1, whole);
    }

    /// <summary>The input of a gather, or the address that says that it lies in its place already.</summary>
    private nint InPlaceOf(nint input, nint output, long count, MpiElement type) =>
        input == output + At(Rank * count, type) ? _mpi.Handles.InPlace : input;

    private static nint At(long offset, MpiElement type) => (nint)(offset * type.SizeBytes());
}
