using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Native;

/// <summary>
/// MPI.NET, the package, on any library of the MPICH family. It is made for Microsoft's msmpi.dll, which has MPICH's binary interface:
/// handles
/// of 32 bits, the same constants, the same status. What it lacks (<see cref="DirectFunctions"/>) is called on the same library, with the
/// same handles.
/// Its functions are used, not its communicators, whose finalizers free them on a thread and at a time of the collector's own.
/// </summary>
internal sealed unsafe class PackageBinding : MpiBinding
{
    private const string PackageLibrary = "msmpi.dll";

    private static readonly System.Reflection.Assembly Package = typeof(MPI.Unsafe).Assembly;

    /// <param name="library">The MPICH library that stands in for Microsoft's; one in a process.</param>
    public PackageBinding(nint library) =>
        NativeLibrary.SetDllImportResolver(Package, (name, _, _) => name == PackageLibrary ? library : 0);

    /// <summary>The package and its version.</summary>
    public static string Name { get; } = $"MPI.NET {Package.GetName().Version!.ToString(3)}";

    public override bool IsRunning => MPI.Environment.Initialized;

    public override int Start()
    {
        string[] none = null!;
        _ = new MPI.Environment(ref none, MPI.Threading.Multiple);
        return (int)MPI.Environment.Threading;
    }

    public override void Finish() => _ = MPI.Unsafe.MPI_Finalize();

    public override void Abort(int exitCode) => MPI.Environment.Abort(exitCode);

    public override int ErrorText(int code, byte[] text, out int length)
    {
        length = text.Length;
        return MPI.Unsafe.MPI_Error_string(code, text, ref length);
    }

    public override int Rank(nint communicator, out int rank) => MPI.Unsafe.MPI_Comm_rank((int)communicator, out rank);

    public override int Size(nint communicator, out int size) => MPI.Unsafe.MPI_Comm_size((int)communicator, out size);

    public override int Split(nint communicator, int color, int key, out nint made)
    {
        int code = MPI.Unsafe.MPI_Comm_split((int)communicator, color, key, out int handle);
        made = handle;
        return code;
    }

    public override int Duplicate(nint communicator, out nint made)
    {
        int code = MPI.Unsafe.MPI_Comm_dup((int)communicator, out int handle);
        made = handle;
        return code;
    }

    public override int Free(ref nint communicator) => MPI.Unsafe.MPI_Comm_free(ref Narrow(ref communicator));

    public override int CreateOperation(delegate* unmanaged<nint, nint, int*, nint*, void> function, out nint made)
    {
        int code = MPI.Unsafe.MPI_Op_create((nint)function, 1, out int handle);
        made = handle;
        return code;
    }

    public override int Contiguous(int count, nint type, out nint made)
    {
        int code = MPI.Unsafe.MPI_Type_contiguous(count, (int)type, out int handle);
        made = handle;
        return code;
    }

    public override int Commit(ref nint type) => MPI.Unsafe.MPI_Type_commit(ref Narrow(ref type));

    public override int FreeType(ref nint type) => MPI.Unsafe.MPI_Type_free(ref Narrow(ref type));

    public override int Send(nint buffer, int count, nint type, int peer, int tag, nint communicator, out nint request)
    {
        int code = MPI.Unsafe.MPI_Isend(buffer, count, (int)type, peer, tag, (int)communicator, out int handle);
        request = handle;
        return code;
    }

    public override int Receive(nint buffer, int count, nint type, int peer, int tag, nint communicator, out nint request)
    {
        int code = MPI.Unsafe.MPI_Irecv(buffer, count, (int)type, peer, tag, (int)communicator, out int handle);
        request = handle;
        return code;
    }

    public override int Test(ref nint request, out int done, nint status) =>
        MPI.Unsafe.MPI_Test(ref Narrow(ref request), out done, out Status(status));

    public override int Wait(ref nint request, nint status) => MPI.Unsafe.MPI_Wait(ref Narrow(ref request), out Status(status));

    public override int Cancel(ref nint request) => MPI.Unsafe.MPI_Cancel(ref Narrow(ref request));

    public override int Count(nint status, nint type, out int count) => MPI.Unsafe.MPI_Get_count(ref Status(status), (int)type, out count);

    public override int AllReduce(nint input, nint output, int count, nint type, nint operation, nint communicator) =>
        MPI.Unsafe.MPI_Allreduce(input, output, count, (int)type, (int)operation, (int)communicator);

    public override int ReduceScatter(nint input, nint output, int[] counts, nint type, nint operation, nint communicator) =>
        MPI.Unsafe.MPI_Reduce_scatter(input, output, counts, (int)type, (int)operation, (int)communicator);

    public override int AllGather(nint input, nint output, int count, nint type, nint communicator) =>
        MPI.Unsafe.MPI_Allgather(input, count, (int)type, output, count, (int)type, (int)communicator);

    public override int AllToAll(nint input, nint output, int count, nint type, nint communicator) =>
        MPI.Unsafe.MPI_Alltoall(input, count, (int)type, output, count, (int)type, (int)communicator);

    public override int Broadcast(nint buffer, int count, nint type, int root, nint communicator) =>
        MPI.Unsafe.MPI_Bcast(buffer, count, (int)type, root, (int)communicator);

    public override int Barrier(nint communicator) => MPI.Unsafe.MPI_Barrier((int)communicator);

    /// <summary>The 32 bits of a handle within the native integer that holds it.</summary>
    private static ref int Narrow(ref nint handle) => ref System.Runtime.CompilerServices.Unsafe.As<nint, int>(ref handle);

    private static ref MPI.Unsafe.MPI_Status Status(nint address) => ref *(MPI.Unsafe.MPI_Status*)address;
}
