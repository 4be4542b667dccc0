using System.Runtime.InteropServices;

namespace Uniscale.Mpi.Native;

/// <summary>Finds and loads the MPI library that belongs to whoever started this process.</summary>
internal static partial class MpiLibrary
{
    private const string StandardName = "libmpi_abi.so.1";
    private const int LoadNow = 2;
    private const int LoadGlobal = 0x100;

    // Where both are installed the plain name of the standard interface is one MPI's, and under the other's mpirun every rank would be
    // alone.
    private static readonly string[] OpenMpiNames = ["libmpi.so.40", "libmpi.so.80", "libmpi_abi_openmpi.so.1.0.0"];
    private static readonly string[] MpichNames = ["libmpich.so.12", "libmpi.so.12", "libmpi_abi_mpich.so.1.0.0"];

    /// <summary>Loads the library of whoever started this process.</summary>
    public static (nint Handle, MpiFlavour Flavour, string Name) Load() =>
        Load(Candidates(IsOpenMpis(Environment.GetEnvironmentVariable), Environment.GetEnvironmentVariable(MpiRuntime.LibraryVariable)));

    /// <summary>Loads the first of these that is there and is MPI.</summary>
    internal static (nint Handle, MpiFlavour Flavour, string Name) Load(IEnumerable<string> names)
    {
        // UCX, under MPICH and on clusters under Open MPI, would take the signals out of which the runtime makes
        // NullReferenceException and DivideByZeroException. It reads the C environment while it is loaded.
        if (SetVariable("UCX_ERROR_SIGNALS", "", overwrite: 0) != 0)
            throw new MpiException("the environment of this process cannot be changed");
        var failures = new List<string>();
        foreach (string name in names)
        {
            // Open MPI's own plug-ins look up its symbols globally.
            nint handle = Open(name, LoadNow | LoadGlobal);
            if (handle != 0 && NativeLibrary.TryGetExport(handle, "MPI_Init_thread", out _))
                return (handle, FlavourOf(name, handle), name);
            failures.Add(
                handle != 0 ? $"{name} is a library, but not of MPI" : Marshal.PtrToStringUTF8(LastError()) ?? $"{name} cannot be loaded"
            );
        }
        throw new MpiException(
            "no MPI library found; install MPICH (mpich) or Open MPI (openmpi-bin), or name "
                + $"the library in {MpiRuntime.LibraryVariable}: {string.Join("; ", failures)}"
        );
    }

    /// <summary>
    /// Whether Open MPI's mpirun started this process, or a batch system in its way; where nobody did, MPICH comes first.
    /// </summary>
    /// <param name="variable">Reads an environment variable.</param>
    internal static bool IsOpenMpis(Func<string, string?> variable) =>
        variable("OMPI_COMM_WORLD_RANK") is not null || (variable("PMIX_RANK") is not null && variable("PMI_RANK") is null);

    /// <summary>Libraries to try, the launcher's own first.</summary>
    /// <param name="isOpenMpis">Whether that is Open MPI.</param>
    /// <param name="named">The one that the user asks for; null or empty: none.</param>
    internal static IReadOnlyList<string> Candidates(bool isOpenMpis, string? named)
    {
        var (own, other) = isOpenMpis ? (OpenMpiNames, MpichNames) : (MpichNames, OpenMpiNames);
        if (named == StandardName)
            return [.. own.Where(IsStandard), named];
        return named is { Length: > 0 } ? [named] : [.. own, StandardName, .. other];
    }

    /// <summary>The standard interface is known by its file alone: a library of it may have an implementation's own symbols, too.</summary>
    private static MpiFlavour FlavourOf(string name, nint handle) =>
        IsStandard(name) ? MpiFlavour.Standard
        : NativeLibrary.TryGetExport(handle, "ompi_mpi_comm_world", out _) ? MpiFlavour.OpenMpi
        : MpiFlavour.Mpich;

    private static bool IsStandard(string name) => Path.GetFileName(name).StartsWith("libmpi_abi", StringComparison.Ordinal);

    [LibraryImport("libc.so.6", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint Open(string path, int flags);

    [LibraryImport("libc.so.6", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc.so.6", EntryPoint = "dlerror")]
    private static partial nint LastError();
}
