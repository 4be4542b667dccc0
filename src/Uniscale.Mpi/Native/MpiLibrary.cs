using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Native;

/// <summary>Implementations of MPI, which differ in their handles and constants.</summary>
public enum MpiFlavour
{
    /// <summary>Open MPI: handles are pointers to exported objects.</summary>
    OpenMpi,

    /// <summary>MPICH and what shares its binary interface (Intel MPI, MVAPICH): handles are integers.</summary>
    Mpich,
}

/// <summary>Finds and loads the system's MPI library.</summary>
internal static partial class MpiLibrary
{
    /// <summary>Names a library to load instead of those that are looked for.</summary>
    public const string PathVariable = "UNISCALE_MPI_LIBRARY";

    private const int LoadNow = 2;
    private const int LoadGlobal = 0x100;

    private static readonly string[] OpenMpiNames = ["libmpi.so.40", "libmpi.so.80"];
    private static readonly string[] MpichNames = ["libmpich.so.12", "libmpi.so.12"];

    /// <summary>Loads the first library that is there; under a launcher, the one that belongs to it.</summary>
    public static (nint Handle, MpiFlavour Flavour, string Name) Load() => Load(Candidates());

    /// <summary>Loads the first of these that is there and is MPI.</summary>
    internal static (nint Handle, MpiFlavour Flavour, string Name) Load(IEnumerable<string> names)
    {
        // UCX, under MPICH and on clusters under Open MPI, would take the signals out of which the runtime makes
        // NullReferenceException and DivideByZeroException. It reads the C environment while it is loaded.
        if (SetVariable("UCX_ERROR_SIGNALS", "", overwrite: 0) != 0) throw new MpiException("the environment of this process cannot be changed");
        var failures = new List<string>();
        foreach (string name in names)
        {
            // Open MPI's own plug-ins look up its symbols globally.
            nint handle = Open(name, LoadNow | LoadGlobal);
            if (handle != 0 && NativeLibrary.TryGetExport(handle, "MPI_Init_thread", out _)) return (handle, Recognise(handle), name);
            failures.Add(handle != 0 ? $"{name} is a library, but not of MPI" : Marshal.PtrToStringUTF8(LastError()) ?? $"{name} cannot be loaded");
        }
        throw new MpiException("no MPI library found; install Open MPI (openmpi-bin) or MPICH (mpich), or name "
            + $"the library in {PathVariable}: {string.Join("; ", failures)}");
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } path) return [path];
        bool startedByMpich = Environment.GetEnvironmentVariable("PMI_RANK") is not null
            && Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_RANK") is null;
        return startedByMpich ? [.. MpichNames, .. OpenMpiNames] : [.. OpenMpiNames, .. MpichNames];
    }

    private static MpiFlavour Recognise(nint handle) =>
        NativeLibrary.TryGetExport(handle, "ompi_mpi_comm_world", out _) ? MpiFlavour.OpenMpi : MpiFlavour.Mpich;

    [LibraryImport("libc.so.6", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Open(string path, int flags);

    [LibraryImport("libc.so.6", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc.so.6", EntryPoint = "dlerror")]
    private static partial nint LastError();
}
