using System.Runtime.InteropServices;
using Uniscale.Collectives.Journal;
using Uniscale.Collectives.Nccl.Native;

namespace Uniscale.Collectives.Nccl;

/// <summary>
/// A clique of ranks on devices. Calls return at once and go on by themselves: between two calls <see cref="IsReady"/> has to say so. Used
/// by one
/// thread, the rank's communication thread.
/// </summary>
internal sealed unsafe class NcclCommunicator
{
    private readonly nint _handle;

    private NcclCommunicator(nint handle, string name) => (_handle, Name) = (handle, name);

    public string Name { get; }

    private static NcclLibrary Nccl => NcclLibrary.Instance;

    /// <summary>A new clique's name, as bytes to be given to all its ranks.</summary>
    public static byte[] NewId()
    {
        NcclUniqueId id;
        Nccl.Check(Nccl.GetUniqueId(&id), 0, "naming a new clique");
        return new ReadOnlySpan<byte>(id.Content, NcclUniqueId.Bytes).ToArray();
    }

    /// <summary>Begins to join a clique with the device that the thread has selected; all its ranks do.</summary>
    public static NcclCommunicator Join(ReadOnlySpan<byte> id, int size, int rank, string name)
    {
        NcclUniqueId unique;
        id.CopyTo(new Span<byte>(unique.Content, NcclUniqueId.Bytes));
        var configuration = NcclConfiguration.NonBlocking;
        nint handle;
        Nccl.Check(Nccl.CommInitRankConfig(&handle, size, unique, rank, &configuration), 0, $"joining {name} of {size} ranks");
        return new NcclCommunicator(handle, name);
    }

    /// <summary>Whether the last call has come to its end; throws what NCCL has found since, also of operations that run.</summary>
    public bool IsReady()
    {
        int state;
        Nccl.Check(Nccl.CommGetAsyncError(_handle, &state), _handle, $"asking for the state of {Name}");
        Nccl.Check(state, _handle, $"working in {Name}");
        return state != NcclLibrary.InProgress;
    }

    /// <summary>
    /// Begins to make communicators of the ranks that give the same colour, in the order of their keys; all ranks call it.
    /// </summary>
    public Split BeginSplit(int? color, int key, string name) => new(this, color, key, name);

    /// <summary>Begins to launch operations of a group on a stream, together: none waits for another to end.</summary>
    public void Launch(IReadOnlyList<NcclOperation> operations, nint stream)
    {
        Nccl.Check(Nccl.GroupStart(), _handle, "beginning a group");
        foreach (var operation in operations)
            if (operation.Input.Count > 0)
                Nccl.Check(Add(operation, stream), _handle, $"launching {operation}");
        Nccl.Check(Nccl.GroupEnd(), _handle, $"launching {operations[0]}");
    }

    /// <summary>Begins to leave: what was launched is finished.</summary>
    public void Leave() => Nccl.Check(Nccl.CommFinalize(_handle), _handle, $"leaving {Name}");

    /// <summary>Frees it after <see cref="Leave"/>.</summary>
    public void Free() => Nccl.Check(Nccl.CommDestroy(_handle), _handle, $"freeing {Name}");

    /// <summary>Ends all that runs, here, without a result, and frees the communicator.</summary>
    public void Abort() => _ = Nccl.CommAbort(_handle);

    private int Add(NcclOperation operation, nint stream)
    {
        var (input, output, signature) = (operation.Input, operation.Output, operation.Signature);
        int type = NcclLibrary.NumberOf(input.Type),
            op = NcclLibrary.NumberOf(signature.Op);
        var (count, part) = ((nuint)input.Count, (nuint)output.Count);
        return signature.Kind switch
        {
            OperationKind.AllReduce or OperationKind.Barrier => Nccl.AllReduce(
                input.Address,
                output.Address,
                count,
                type,
                op,
                _handle,
                stream
            ),
            OperationKind.ReduceScatter => Nccl.ReduceScatter(input.Address, output.Address, part, type, op, _handle, stream),
            OperationKind.AllGather => Nccl.AllGather(input.Address, output.Address, count, type, _handle, stream),
            OperationKind.Broadcast => Nccl.Broadcast(input.Address, output.Address, count, type, signature.Peer, _handle, stream),
            OperationKind.Send => Nccl.Send(input.Address, count, type, signature.Peer, _handle, stream),
            OperationKind.Receive => Nccl.Receive(output.Address, count, type, signature.Peer, _handle, stream),
            _ => AddAllToAll(input, output, operation.Group.Size, stream),
        };
    }

    private int AddAllToAll(CommBuffer input, CommBuffer output, int size, nint stream)
    {
        int type = NcclLibrary.NumberOf(input.Type);
        long count = input.Count / size;
        if (Nccl.AllToAll != null)
            return Nccl.AllToAll(input.Address, output.Address, (nuint)count, type, _handle, stream);
        for (int peer = 0; peer < size; peer++)
        {
            int code = Nccl.Send(input.Slice(peer * count, count).Address, (nuint)count, type, peer, _handle, stream);
            if (code is 0 or NcclLibrary.InProgress)
                code = Nccl.Receive(output.Slice(peer * count, count).Address, (nuint)count, type, peer, _handle, stream);
            if (code is not (0 or NcclLibrary.InProgress))
                return code;
        }
        return 0;
    }

    /// <summary>A split under way.</summary>
    internal sealed class Split
    {
        private readonly NcclCommunicator _parent;
        private readonly string _name;
        private readonly bool _isMember;
        private nint* _handle;
        private NcclCommunicator? _made;

        public Split(NcclCommunicator parent, int? color, int key, string name)
        {
            const int NoColor = -1;
            (_parent, _name, _isMember) = (parent, name, color is not null);
            // NCCL writes the handle later, from a thread of its own.
            _handle = (nint*)NativeMemory.AllocZeroed((nuint)sizeof(nint));
            Nccl.Check(Nccl.CommSplit(parent._handle, color ?? NoColor, key, _handle, null), parent._handle, $"making {name}");
        }

        /// <summary>True once the communicator is made; null for a rank without a colour.</summary>
        public bool IsDone(out NcclCommunicator? made)
        {
            made = _made;
            if (_made is null)
            {
                if (!_parent.IsReady())
                    return false;
                if (_isMember)
                    made = _made = new NcclCommunicator(*_handle, _name);
                NativeMemory.Free(_handle);
                _handle = null;
            }
            return _made is null || _made.IsReady();
        }
    }
}
