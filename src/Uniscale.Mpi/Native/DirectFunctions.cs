using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Native;

/// <summary>
/// C functions of an MPI library that are called directly whatever the binding: non-blocking collectives and the few others that the
/// package
/// lacks. Names, arguments and order are the standard's; every function returns an error code.
/// </summary>
internal sealed unsafe class DirectFunctions(nint library)
{
    public readonly delegate* unmanaged<byte*, int*, int> GetLibraryVersion = (delegate* unmanaged<byte*, int*, int>)Find(
        library,
        "Get_library_version"
    );

    public readonly delegate* unmanaged<nint, nint, int> CommSetErrorHandler = (delegate* unmanaged<nint, nint, int>)Find(
        library,
        "Comm_set_errhandler"
    );

    public readonly delegate* unmanaged<int, int*, nint*, nint*, nint*, int> TypeCreateStruct = (delegate* unmanaged<
        int,
        int*,
        nint*,
        nint*,
        nint*,
        int>)Find(library, "Type_create_struct");

    public readonly delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int> Iallreduce = (delegate* unmanaged<
        nint,
        nint,
        int,
        nint,
        nint,
        nint,
        nint*,
        int>)Find(library, "Iallreduce");

    public readonly delegate* unmanaged<nint, nint, int, nint, nint, int, nint, nint*, int> Ireduce = (delegate* unmanaged<
        nint,
        nint,
        int,
        nint,
        nint,
        int,
        nint,
        nint*,
        int>)Find(library, "Ireduce");

    public readonly delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int> IreduceScatterBlock = (delegate* unmanaged<
        nint,
        nint,
        int,
        nint,
        nint,
        nint,
        nint*,
        int>)Find(library, "Ireduce_scatter_block");

    public readonly delegate* unmanaged<nint, int, nint, nint, int, nint, nint, nint*, int> Iallgather = (delegate* unmanaged<
        nint,
        int,
        nint,
        nint,
        int,
        nint,
        nint,
        nint*,
        int>)Find(library, "Iallgather");

    public readonly delegate* unmanaged<nint, int, nint, nint, int, nint, nint, nint*, int> Ialltoall = (delegate* unmanaged<
        nint,
        int,
        nint,
        nint,
        int,
        nint,
        nint,
        nint*,
        int>)Find(library, "Ialltoall");

    public readonly delegate* unmanaged<nint, int, nint, int, nint, nint*, int> Ibcast = (delegate* unmanaged<
        nint,
        int,
        nint,
        int,
        nint,
        nint*,
        int>)Find(library, "Ibcast");

    public readonly delegate* unmanaged<nint, nint*, int> Ibarrier = (delegate* unmanaged<nint, nint*, int>)Find(library, "Ibarrier");

    /// <summary>Address of an MPI function.</summary>
    public static nint Find(nint library, string name) => NativeLibrary.GetExport(library, "MPI_" + name);
}
