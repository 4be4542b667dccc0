namespace Uniscale.Collectives.RankProgram;

/// <summary>An MPI of this machine, as a test starts jobs under it. Linked into the test projects.</summary>
/// <param name="Name">Name in the tests.</param>
/// <param name="Launcher">Its mpirun, with options.</param>
/// <param name="Library">Value of UNISCALE_MPI_LIBRARY; null: what the ranks find themselves.</param>
/// <param name="Flavour">The flavour and the binding that ranks must report.</param>
public sealed record InstalledMpi(string Name, IReadOnlyList<string> Launcher, string? Library, string Flavour)
{
    private const string StandardLibrary = "libmpi_abi.so.1";

    private static readonly InstalledMpi Mpich = new("MPICH", ["mpirun.mpich"], null, "Mpich by MPI.NET 1.4.0");

    // Four ranks on two processors, as root.
    private static readonly InstalledMpi OpenMpi = new(
        "Open MPI",
        ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
        null,
        "OpenMpi by direct calls"
    );

    /// <summary>All, each by its own binary interface, and by the standard's where it has that.</summary>
    public static IReadOnlyList<InstalledMpi> All { get; } = [.. Find(Mpich, "libmpi_abi_mpich*"), .. Find(OpenMpi, "libmpi_abi_openmpi*")];

    /// <summary>The one of a name.</summary>
    public static InstalledMpi Of(string name) => All.Single(mpi => mpi.Name == name);

    private static IEnumerable<InstalledMpi> Find(InstalledMpi mpi, string standardFile)
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        if (!folders.Any(folder => File.Exists(Path.Combine(folder, mpi.Launcher[0]))))
            yield break;
        yield return mpi;
        var twoLevels = new EnumerationOptions
        {
            RecurseSubdirectories = true,
            MaxRecursionDepth = 1,
            IgnoreInaccessible = true,
        };
        if (Directory.EnumerateFiles("/usr/lib", standardFile, twoLevels).Any())
            yield return mpi with
            {
                Name = $"{mpi.Name}, standard interface",
                Library = StandardLibrary,
                Flavour = "Standard by direct calls",
            };
    }
}
