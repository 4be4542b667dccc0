namespace Uniscale.Mpi.Native;

/// <summary>
/// One way to call an MPI library: environment, communicators, messages, blocking collectives. What is an int is the standard's error code;
/// handles are native integers, whatever their size in the library.
/// </summary>
internal abstract unsafe class MpiBinding
{
    /// <summary>Whether MPI runs in this process.</summary>
    public abstract bool IsRunning { get; }

    /// <summary>Starts MPI for calls from every thread, and returns the level that it grants.</summary>
    public abstract int Start();

    /// <summary>Ends MPI in this process.</summary>
    public abstract void Finish();

    /// <summary>Ends the whole job at once.</summary>
    public abstract void Abort(int exitCode);

    /// <summary>Writes what the library says of an error code; at most <see cref="ErrorTextBytes"/> bytes.</summary>
    public abstract int ErrorText(int code, byte[] text, out int length);

    public abstract int Rank(nint communicator, out int rank);

    public abstract int Size(nint communicator, out int size);

    public abstract int Split(nint communicator, int color, int key, out nint made);

    public abstract int Duplicate(nint communicator, out nint made);

    public abstract int Free(ref nint communicator);

    public abstract int CreateOperation(delegate* unmanaged<nint, nint, int*, nint*, void> function, out nint made);

    public abstract int Contiguous(int count, nint type, out nint made);

    public abstract int Commit(ref nint type);

    public abstract int FreeType(ref nint type);

    public abstract int Send(nint buffer, int count, nint type, int peer, int tag, nint communicator, out nint request);

    public abstract int Receive(nint buffer, int count, nint type, int peer, int tag, nint communicator, out nint request);

    /// <summary>Moves a request on; the status, of <see cref="StatusBytes"/> bytes, is written once it is done.</summary>
    public abstract int Test(ref nint request, out int done, nint status);

    public abstract int Wait(ref nint request, nint status);

    public abstract int Cancel(ref nint request);

    public abstract int Count(nint status, nint type, out int count);

    public abstract int AllReduce(nint input, nint output, int count, nint type, nint operation, nint communicator);

    public abstract int ReduceScatter(nint input, nint output, int[] counts, nint type, nint operation, nint communicator);

    public abstract int AllGather(nint input, nint output, int count, nint type, nint communicator);

    public abstract int AllToAll(nint input, nint output, int count, nint type, nint communicator);

    public abstract int Broadcast(nint buffer, int count, nint type, int root, nint communicator);

    public abstract int Barrier(nint communicator);

    /// <summary>Room for what the library says of an error: the standard binary interface has the longest, 512.</summary>
    public const int ErrorTextBytes = 1024;

    /// <summary>Room for a status: the standard binary interface has the longest, 32.</summary>
    public const int StatusBytes = 64;
}
