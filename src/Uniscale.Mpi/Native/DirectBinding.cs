namespace Uniscale.Mpi.Native;

/// <summary>The library's C functions by their addresses: for every MPI that the package does not fit.</summary>
internal sealed unsafe class DirectBinding(nint library, MpiHandles handles) : MpiBinding
{
    private readonly delegate* unmanaged<nint, nint, int, int*, int> _initThread = (delegate* unmanaged<nint, nint, int, int*, int>)
        DirectFunctions.Find(library, "Init_thread");
    private readonly delegate* unmanaged<int*, int> _initialized = (delegate* unmanaged<int*, int>)
        DirectFunctions.Find(library, "Initialized");
    private readonly delegate* unmanaged<int> _finalize = (delegate* unmanaged<int>)DirectFunctions.Find(library, "Finalize");
    private readonly delegate* unmanaged<nint, int, int> _abort = (delegate* unmanaged<nint, int, int>)
        DirectFunctions.Find(library, "Abort");
    private readonly delegate* unmanaged<int, byte*, int*, int> _errorString = (delegate* unmanaged<int, byte*, int*, int>)
        DirectFunctions.Find(library, "Error_string");
    private readonly delegate* unmanaged<nint, int*, int> _rank = (delegate* unmanaged<nint, int*, int>)
        DirectFunctions.Find(library, "Comm_rank");
    private readonly delegate* unmanaged<nint, int*, int> _size = (delegate* unmanaged<nint, int*, int>)
        DirectFunctions.Find(library, "Comm_size");
    private readonly delegate* unmanaged<nint, int, int, nint*, int> _split = (delegate* unmanaged<nint, int, int, nint*, int>)
        DirectFunctions.Find(library, "Comm_split");
    private readonly delegate* unmanaged<nint, nint*, int> _duplicate = (delegate* unmanaged<nint, nint*, int>)
        DirectFunctions.Find(library, "Comm_dup");
    private readonly delegate* unmanaged<nint*, int> _free = (delegate* unmanaged<nint*, int>)DirectFunctions.Find(library, "Comm_free");
    private readonly delegate* unmanaged<delegate* unmanaged<nint, nint, int*, nint*, void>, int, nint*, int> _createOperation =
        (delegate* unmanaged<delegate* unmanaged<nint, nint, int*, nint*, void>, int, nint*, int>)
            DirectFunctions.Find(library, "Op_create");
    private readonly delegate* unmanaged<int, nint, nint*, int> _contiguous = (delegate* unmanaged<int, nint, nint*, int>)
        DirectFunctions.Find(library, "Type_contiguous");
    private readonly delegate* unmanaged<nint*, int> _commit = (delegate* unmanaged<nint*, int>)
        DirectFunctions.Find(library, "Type_commit");
    private readonly delegate* unmanaged<nint*, int> _freeType = (delegate* unmanaged<nint*, int>)
        DirectFunctions.Find(library, "Type_free");
    private readonly delegate* unmanaged<nint, int, nint, int, int, nint, nint*, int> _send = (delegate* unmanaged<
        nint,
        int,
        nint,
        int,
        int,
        nint,
        nint*,
        int>)
        DirectFunctions.Find(library, "Isend");
    private readonly delegate* unmanaged<nint, int, nint, int, int, nint, nint*, int> _receive = (delegate* unmanaged<
        nint,
        int,
        nint,
        int,
        int,
        nint,
        nint*,
        int>)
        DirectFunctions.Find(library, "Irecv");
    private readonly delegate* unmanaged<nint*, int*, nint, int> _test = (delegate* unmanaged<nint*, int*, nint, int>)
        DirectFunctions.Find(library, "Test");
    private readonly delegate* unmanaged<nint*, nint, int> _wait = (delegate* unmanaged<nint*, nint, int>)
        DirectFunctions.Find(library, "Wait");
    private readonly delegate* unmanaged<nint*, int> _cancel = (delegate* unmanaged<nint*, int>)DirectFunctions.Find(library, "Cancel");
    private readonly delegate* unmanaged<nint, nint, int*, int> _count = (delegate* unmanaged<nint, nint, int*, int>)
        DirectFunctions.Find(library, "Get_count");
    private readonly delegate* unmanaged<nint, nint, int, nint, nint, nint, int> _allReduce = (delegate* unmanaged<
        nint,
        nint,
        int,
        nint,
        nint,
        nint,
        int>)
        DirectFunctions.Find(library, "Allreduce");
    private readonly delegate* unmanaged<nint, nint, int*, nint, nint, nint, int> _reduceScatter = (delegate* unmanaged<
        nint,
        nint,
        int*,
        nint,
        nint,
        nint,
        int>)
        DirectFunctions.Find(library, "Reduce_scatter");
    private readonly delegate* unmanaged<nint, int, nint, nint, int, nint, nint, int> _allGather = (delegate* unmanaged<
        nint,
        int,
        nint,
        nint,
        int,
        nint,
        nint,
        int>)
        DirectFunctions.Find(library, "Allgather");
    private readonly delegate* unmanaged<nint, int, nint, nint, int, nint, nint, int> _allToAll = (delegate* unmanaged<
        nint,
        int,
        nint,
        nint,
        int,
        nint,
        nint,
        int>)
        DirectFunctions.Find(library, "Alltoall");
    private readonly delegate* unmanaged<nint, int, nint, int, nint, int> _broadcast = (delegate* unmanaged<
        nint,
        int,
        nint,
        int,
        nint,
        int>)
        DirectFunctions.Find(library, "Bcast");
    private readonly delegate* unmanaged<nint, int> _barrier = (delegate* unmanaged<nint, int>)DirectFunctions.Find(library, "Barrier");

    public override bool IsRunning
    {
        get
        {
            int done;
            return _initialized(&done) == 0 && done != 0;
        }
    }

    public override int Start()
    {
        int provided;
        return _initThread(0, 0, handles.ThreadMultiple, &provided) == 0
            ? provided
            : throw new MpiException("MPI could not be initialised");
    }

    public override void Finish() => _finalize();

    public override void Abort(int exitCode) => _abort(handles.World, exitCode);

    public override int ErrorText(int code, byte[] text, out int length)
    {
        fixed (byte* bytes = text)
        fixed (int* count = &length)
            return _errorString(code, bytes, count);
    }

    public override int Rank(nint communicator, out int rank)
    {
        fixed (int* result = &rank)
            return _rank(communicator, result);
    }

    public override int Size(nint communicator, out int size)
    {
        fixed (int* result = &size)
            return _size(communicator, result);
    }

    public override int Split(nint communicator, int color, int key, out nint made)
    {
        fixed (nint* result = &made)
            return _split(communicator, color, key, result);
    }

    public override int Duplicate(nint communicator, out nint made)
    {
        fixed (nint* result = &made)
            return _duplicate(communicator, result);
    }

    public override int Free(ref nint communicator)
    {
        fixed (nint* handle = &communicator)
            return _free(handle);
    }

    public override int CreateOperation(delegate* unmanaged<nint, nint, int*, nint*, void> function, out nint made)
    {
        fixed (nint* result = &made)
            return _createOperation(function, 1, result);
    }

    public override int Contiguous(int count, nint type, out nint made)
    {
        fixed (nint* result = &made)
            return _contiguous(count, type, result);
    }

    public override int Commit(ref nint type)
    {
        fixed (nint* handle = &type)
            return _commit(handle);
    }

    public override int FreeType(ref nint type)
    {
        fixed (nint* handle = &type)
            return _freeType(handle);
    }

    public override int Send(nint buffer, int count, nint type, int peer, int tag, nint communicator, out nint request)
    {
        fixed (nint* result = &request)
            return _send(buffer, count, type, peer, tag, communicator, result);
    }

    public override int Receive(nint buffer, int count, nint type, int peer, int tag, nint communicator, out nint request)
    {
        fixed (nint* result = &request)
            return _receive(buffer, count, type, peer, tag, communicator, result);
    }

    public override int Test(ref nint request, out int done, nint status)
    {
        fixed (nint* handle = &request)
        fixed (int* result = &done)
            return _test(handle, result, status);
    }

    public override int Wait(ref nint request, nint status)
    {
        fixed (nint* handle = &request)
            return _wait(handle, status);
    }

    public override int Cancel(ref nint request)
    {
        fixed (nint* handle = &request)
            return _cancel(handle);
    }

    public override int Count(nint status, nint type, out int count)
    {
        fixed (int* result = &count)
            return _count(status, type, result);
    }

    public override int AllReduce(nint input, nint output, int count, nint type, nint operation, nint communicator) =>
        _allReduce(input, output, count, type, operation, communicator);

    public override int ReduceScatter(nint input, nint output, int[] counts, nint type, nint operation, nint communicator)
    {
        fixed (int* parts = counts)
            return _reduceScatter(input, output, parts, type, operation, communicator);
    }

    public override int AllGather(nint input, nint output, int count, nint type, nint communicator) =>
        _allGather(input, count, type, output, count, type, communicator);

    public override int AllToAll(nint input, nint output, int count, nint type, nint communicator) =>
        _allToAll(input, count, type, output, count, type, communicator);

    public override int Broadcast(nint buffer, int count, nint type, int root, nint communicator) =>
        _broadcast(buffer, count, type, root, communicator);

    public override int Barrier(nint communicator) => _barrier(communicator);
}
