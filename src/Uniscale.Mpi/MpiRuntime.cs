using System.Text;
using Uniscale.Mpi.Native;

namespace Uniscale.Mpi;

/// <summary>What is known of the MPI library without starting it.</summary>
/// <param name="Flavour">Open MPI or MPICH.</param>
/// <param name="Library">Name under which it was loaded.</param>
/// <param name="Version">The library's own description, one line.</param>
public sealed record MpiDescription(MpiFlavour Flavour, string Library, string Version);

/// <summary>MPI in this process: found, loaded and initialised once for its whole life.</summary>
public sealed unsafe class MpiRuntime : IDisposable
{
    private const int ThreadMultiple = 3;

    private static readonly Lazy<MpiLoaded> Loaded = new(MpiLoaded.Load);

    private bool _finished;

    private MpiRuntime(MpiLoaded loaded)
    {
        World = new MpiCommunicator(loaded, loaded.Handles.World, "world", owned: false);
    }

    /// <summary>All ranks.</summary>
    public MpiCommunicator World { get; }

    /// <summary>Elements above which an operation is cut into several calls or given a derived type; MPI's counts are ints. Tests lower it.</summary>
    internal static long MaxCount { get; set; } = 1 << 30;

    /// <summary>Finds the library and asks for its version; throws <see cref="MpiException"/> where there is none.</summary>
    public static MpiDescription Describe()
    {
        var loaded = Loaded.Value;
        var text = stackalloc byte[8192];
        int length;
        loaded.Functions.GetLibraryVersion(text, &length);
        string version = Encoding.UTF8.GetString(text, length).Split('\n', ',')[0].Trim('\0', ' ');
        return new(loaded.Flavour, loaded.Name, version);
    }

    /// <summary>
    /// Joins the job. Works also without a launcher, as a job of one rank. MPI cannot be started a second time in a process.
    /// </summary>
    public static MpiRuntime Initialize()
    {
        var loaded = Loaded.Value;
        int done, provided;
        loaded.Functions.Initialized(&done);
        if (done != 0) throw new MpiException("MPI is already running in this process");
        if (loaded.Functions.InitThread(0, 0, ThreadMultiple, &provided) != 0) throw new MpiException($"MPI ({loaded.Name}) could not be initialised");
        if (provided < ThreadMultiple)
            throw new MpiException($"MPI ({loaded.Name}) was built without MPI_THREAD_MULTIPLE, which Uniscale needs (it provides level {provided})");
        return new MpiRuntime(loaded);
    }

    /// <summary>Ends the process and the whole job at once, with the exit code.</summary>
    public static void Abort(int exitCode)
    {
        var loaded = Loaded.Value;
        loaded.Functions.Abort(loaded.Handles.World, exitCode);
    }

    /// <summary>Leaves the job; waits until all ranks do.</summary>
    public void Dispose()
    {
        if (_finished) return;
        _finished = true;
        Loaded.Value.Functions.Finish();
    }
}
