using System.Diagnostics;

namespace Uniscale.Collectives.RankProgram;

/// <summary>
/// Starts the rank program under mpirun and reads what its ranks report. Linked into the test projects.
/// </summary>
public static class MpiJob
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(150);

    /// <summary>Runs a scenario and returns, for each rank, how each check ended.</summary>
    public static IReadOnlyList<IReadOnlyDictionary<string, string>> Run(InstalledMpi mpi, int ranks, string scenario)
    {
        string folder = Directory.CreateTempSubdirectory("uniscale-ranks-").FullName;
        try
        {
            string output = Launch(mpi, ranks, [scenario, folder]);
            return [.. Enumerable.Range(0, ranks).Select(rank => ReadReport(Path.Combine(folder, $"rank-{rank}.txt"), output))];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Dictionary<string, string> ReadReport(string path, string output)
    {
        if (!File.Exists(path))
            throw new InvalidOperationException($"a rank wrote no {Path.GetFileName(path)}: {output}");
        return File.ReadAllLines(path).Select(line => line.Split('\t', 2)).ToDictionary(parts => parts[0], parts => parts[1]);
    }

    private static string Launch(InstalledMpi mpi, int ranks, string[] arguments)
    {
        var start = new ProcessStartInfo(mpi.Launcher[0])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (string argument in (string[])[.. mpi.Launcher.Skip(1), "-n", $"{ranks}", Program(), .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment["UNISCALE_MPI_LIBRARY"] = mpi.Library;
        // Ranks of a test share a few processors: fewer threads of the runtime, less noise.
        start.Environment["DOTNET_TieredPGO"] = "0";
        using var process = Process.Start(start)!;
        // MPICH's mpirun reads the terminal, and is stopped where it runs in the background of one.
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{arguments[0]} on {ranks} ranks did not end: {output.Result}{errors.Result}");
        }
        return output.Result + errors.Result;
    }

    /// <summary>The rank program of the same build configuration, beside the tests.</summary>
    private static string Program()
    {
        string tests = AppContext.BaseDirectory;
        string[] parts = tests.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar);
        string root = string.Join(Path.DirectorySeparatorChar, parts[..^4]);
        return Path.Combine([root, "Uniscale.Collectives.RankProgram", .. parts[^3..], "Uniscale.Collectives.RankProgram"]);
    }
}
