using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Native;

/// <summary>The C functions of an MPI library. Names, arguments and order are the standard's; every function returns an error code.</summary>
internal sealed unsafe class MpiFunctions(nint library)
{
    public readonly delegate* unmanaged<nint, nint, int, int*, int> InitThread =
        (delegate* unmanaged<nint, nint, int, int*, int>)Find(library, "Init_thread");

    public readonly delegate* unmanaged<int*, int> Initialized = (delegate* unmanaged<int*, int>)Find(library, "Initialized");

    public readonly delegate* unmanaged<int> Finish = (delegate* unmanaged<int>)Find(library, "Finalize");

    public readonly delegate* unmanaged<nint, int, int> Abort = (delegate* unmanaged<nint, int, int>)Find(library, "Abort");

    public readonly delegate* unmanaged<byte*, int*, int> GetLibraryVersion =
        (delegate* unmanaged<byte*, int*, int>)Find(library, "Get_library_version");

    public readonly delegate* unmanaged<int, byte*, int*, int> ErrorString =
        (delegate* unmanaged<int, byte*, int*, int>)Find(library, "Error_string");

    public readonly delegate* unmanaged<nint, int*, int> CommRank = (delegate* unmanaged<nint, int*, int>)Find(library, "Comm_rank");

    public readonly delegate* unmanaged<nint, int*, int> CommSize = (delegate* unmanaged<nint, int*, int>)Find(library, "Comm_size");

    public readonly delegate* unmanaged<nint, int, int, nint*, int> CommSplit =
        (delegate* unmanaged<nint, int, int, nint*, int>)Find(library, "Comm_split");

    public readonly delegate* unmanaged<nint, nint*, int> CommDuplicate = (delegate* unmanaged<nint, nint*, int>)Find(library, "Comm_dup");

    public readonly delegate* unmanaged<nint*, int> CommFree = (delegate* unmanaged<nint*, int>)Find(library, "Comm_free");

    public readonly delegate* unmanaged<nint, nint, int> CommSetErrorHandler =
        (delegate* unmanaged<nint, nint, int>)Find(library, "Comm_set_errhandler");

    public readonly delegate* unmanaged<delegate* unmanaged<nint, nint, int*, nint*, void>, int, nint*, int> OpCreate =
        (delegate* unmanaged<delegate* unmanaged<nint, nint, int*, nint*, void>, int, nint*, int>)Find(library, "Op_create");

    public readonly delegate* unmanaged<int, int*, nint*, nint*, nint*, int> TypeCreateStruct =
        (delegate* unmanaged<int, int*, nint*, nint*, nint*, int>)Find(library, "Type_create_struct");

    public readonly delegate* unmanaged<int, nint, nint*, int> TypeContiguous =
        (delegate* unmanaged<int, nint, nint*, int>)Find(library, "Type_contiguous");

    public readonly delegate* unmanaged<nint*, int> TypeCommit = (delegate* unmanaged<nint*, int>)Find(library, "Type_commit");

    public readonly delegate* unmanaged<nint*, int> TypeFree = (delegate* unmanaged<nint*, int>)Find(library, "Type_free");

    public readonly delegate* unmanaged<nint*, int*, nint, int> Test = (delegate* unmanaged<nint*, int*, nint, int>)Find(library, "Test");

    public readonly delegate* unmanaged<nint*, nint, int> Wait = (delegate* unmanaged<nint*, nint, int>)Find(library, "Wait");

    public readonly delegate* unmanaged<nint*, int> Cancel = (delegate* unmanaged<nint*, int>)Find(library, "Cancel");

    public readonly delegate* unmanaged<nint, nint, int*, int> GetCount = (delegate* unmanaged<nint, nint, int*, int>)Find(library, "Get_count");

    public readonly delegate* unmanaged<nint, int, nint, int, int, nint, nint*, int> Isend =
        (delegate* unmanaged<nint, int, nint, int, int, nint, nint*, int>)Find(library, "Isend");

    public readonly delegate* unmanaged<nint, int, nint, int, int, nint, nint*, int> Irecv =
        (delegate* unmanaged<nint, int, nint, int, int, nint, nint*, int>)Find(library, "Irecv");

    public readonly delegate* unmanaged<nint, nint, int, nint, nint, nint, int> Allreduce =
        (delegate* unmanaged<nint, nint, int, nint, nint, nint, int>)Find(library, "Allreduce");

    public readonly delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int> Iallreduce =
        (delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int>)Find(library, "Iallreduce");

    public readonly delegate* unmanaged<nint, nint, int, nint, nint, int, nint, nint*, int> Ireduce =
        (delegate* unmanaged<nint, nint, int, nint, nint, int, nint, nint*, int>)Find(library, "Ireduce");

    public readonly delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int> IreduceScatterBlock =
        (delegate* unmanaged<nint, nint, int, nint, nint, nint, nint*, int>)Find(library, "Ireduce_scatter_block");

    public readonly delegate* unmanaged<nint, int, nint, nint, int, nint, nint, nint*, int> Iallgather =
        (delegate* unmanaged<nint, int, nint, nint, int, nint, nint, nint*, int>)Find(library, "Iallgather");

    public readonly delegate* unmanaged<nint, int, nint, nint, int, nint, nint, nint*, int> Ialltoall =
        (delegate* unmanaged<nint, int, nint, nint, int, nint, nint, nint*, int>)Find(library, "Ialltoall");

    public readonly delegate* unmanaged<nint, int, nint, int, nint, nint*, int> Ibcast =
        (delegate* unmanaged<nint, int, nint, int, nint, nint*, int>)Find(library, "Ibcast");

    public readonly delegate* unmanaged<nint, nint*, int> Ibarrier = (delegate* unmanaged<nint, nint*, int>)Find(library, "Ibarrier");

    private static nint Find(nint library, string name) => NativeLibrary.GetExport(library, "MPI_" + name);
}
