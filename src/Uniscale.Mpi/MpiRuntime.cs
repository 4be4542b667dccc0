using System.Text;
using System.Text.RegularExpressions;
using Uniscale.Mpi.Native;

namespace Uniscale.Mpi;

/// <summary>What is known of the MPI library without starting it.</summary>
/// <param name="Flavour">Its binary interface.</param>
/// <param name="Library">Name under which it was loaded.</param>
/// <param name="Version">The library's own description, one line.</param>
/// <param name="Binding">How it is called: by the package, or directly.</param>
public sealed partial record MpiDescription(MpiFlavour Flavour, string Library, string Version, string Binding)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        string standard = Flavour == MpiFlavour.Standard ? "MPI's standard binary interface, " : "";
        return $"{Blanks().Replace(Version.Replace("Version:", "", StringComparison.Ordinal), " ")}, {standard}{Library}, through {Binding}";
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}

/// <summary>MPI in this process: found, loaded and initialised once for its whole life.</summary>
public sealed unsafe class MpiRuntime : IDisposable
{
    /// <summary>Names a library to load instead of those that are looked for.</summary>
    public const string LibraryVariable = "UNISCALE_MPI_LIBRARY";

    private static readonly Lazy<MpiLoaded> Loaded = new(MpiLoaded.Load);

    private bool _finished;

    private MpiRuntime(MpiLoaded loaded)
    {
        World = new MpiCommunicator(loaded, loaded.Handles.World, "world", owned: false);
    }

    /// <summary>All ranks.</summary>
    public MpiCommunicator World { get; }

    /// <summary>
    /// Elements above which an operation is cut into several calls or given a derived type; MPI's counts are ints. Tests lower it.
    /// </summary>
    internal static long MaxCount { get; set; } = 1 << 30;

    /// <summary>Finds the library and asks for its version; throws <see cref="MpiException"/> where there is none.</summary>
    public static MpiDescription Describe() => Describe(Loaded.Value.Direct, Loaded.Value.Flavour, Loaded.Value.Name);

    /// <summary>What ranks under an mpirun of this machine will find.</summary>
    /// <param name="isOpenMpis">Whether it is Open MPI's.</param>
    /// <param name="named">The library that the user asks for; null: none.</param>
    public static MpiDescription DescribeUnder(bool isOpenMpis, string? named)
    {
        var (handle, flavour, name) = MpiLibrary.Load(MpiLibrary.Candidates(isOpenMpis, named));
        return Describe(new DirectFunctions(handle), flavour, name);
    }

    private static MpiDescription Describe(DirectFunctions functions, MpiFlavour flavour, string name)
    {
        byte* text = stackalloc byte[8192];
        int length;
        functions.GetLibraryVersion(text, &length);
        string version = Encoding.UTF8.GetString(text, length).Split('\n', ',')[0].Trim('\0', ' ');
        return new(flavour, name, version, MpiLoaded.BindingOf(flavour));
    }

    /// <summary>
    /// Joins the job. Works also without a launcher, as a job of one rank. MPI cannot be started a second time in a process.
    /// </summary>
    public static MpiRuntime Initialize()
    {
        var loaded = Loaded.Value;
        if (loaded.Binding.IsRunning)
            throw new MpiException("MPI is already running in this process");
        int provided = loaded.Binding.Start();
        if (provided < loaded.Handles.ThreadMultiple)
            throw new MpiException(
                $"MPI ({loaded.Name}) was built without MPI_THREAD_MULTIPLE, which Uniscale needs (it provides level {provided})"
            );
        return new MpiRuntime(loaded);
    }

    /// <summary>Ends the process and the whole job at once, with the exit code.</summary>
    public static void Abort(int exitCode) => Loaded.Value.Binding.Abort(exitCode);

    /// <summary>Leaves the job; waits until all ranks do.</summary>
    public void Dispose()
    {
        if (_finished)
            return;
        _finished = true;
        Loaded.Value.Binding.Finish();
    }
}
