using System.ComponentModel;
using System.Diagnostics;
using System.Text.RegularExpressions;
using Uniscale.Configuration;

namespace Uniscale.Launching.Processes;

/// <summary>An mpirun of this machine, or Slurm's srun in its place.</summary>
/// <param name="Command">What starts it: a name on PATH, or a path.</param>
/// <param name="IsOpenMpi">Whether it is Open MPI's; else it takes the options of MPICH's Hydra, as those of Intel MPI and MVAPICH
/// do.</param>
/// <param name="Version">Whose and which, for people.</param>
public sealed partial record Mpirun(string Command, bool IsOpenMpi, string Version)
{
    /// <summary>Whether it is Slurm's srun, which starts ranks without an mpirun.</summary>
    public bool IsSrun { get; init; }

    private const string Plain = "mpirun";

    /// <summary>How Debian names MPICH's beside those of others.</summary>
    private const string Mpich = "mpirun.mpich";

    /// <summary>The one that is named; else the first of PATH, and MPICH's where several lie beside each other there.</summary>
    /// <param name="named">What the user asks for; null: nothing.</param>
    /// <exception cref="UserErrorException">It cannot be started.</exception>
    public static Mpirun Find(string? named = null)
    {
        string command = named ?? Default((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'));
        try
        {
            using var process = Process.Start(
                new ProcessStartInfo(command, "--version") { RedirectStandardOutput = true, RedirectStandardError = true }
            )!;
            process.ErrorDataReceived += (_, _) => { };
            process.BeginErrorReadLine();
            string text = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return Parse(command, text);
        }
        catch (Win32Exception exception)
        {
            throw new UserErrorException(
                $"{command} cannot be started: install MPICH or Open MPI (scripts/setup.sh does), name another with --mpirun, "
                    + "or use 'train --ranks N' for ranks on this machine.",
                exception
            );
        }
    }

    /// <summary>Whether the MPI of this machine is Open MPI, by the mpirun that would be taken; false where there is none.</summary>
    internal static bool IsDefaultOpenMpi
    {
        get
        {
            try
            {
                return Find().IsOpenMpi;
            }
            catch (UserErrorException)
            {
                return false;
            }
        }
    }

    /// <summary>Reads what <c>--version</c> prints.</summary>
    internal static Mpirun Parse(string command, string text)
    {
        string number = Number().Match(text) is { Success: true } match ? $" {match.Value}" : "";
        if (text.StartsWith("slurm", StringComparison.OrdinalIgnoreCase))
            return new(command, false, "Slurm" + number) { IsSrun = true };
        bool isOpenMpi = OpenMpiName().IsMatch(text);
        string whose =
            isOpenMpi ? "Open MPI"
            : text.Contains("Intel", StringComparison.Ordinal) ? "Intel MPI"
            : "MPICH's Hydra";
        return new(command, isOpenMpi, whose + number);
    }

    /// <summary>Folders of PATH come in the user's order, a cluster's modules first; within one the package's MPI is preferred.</summary>
    internal static string Default(IEnumerable<string> folders)
    {
        foreach (string folder in folders)
            foreach (string name in (string[])[Mpich, Plain])
                if (File.Exists(Path.Combine(folder, name)))
                    return name;
        return Plain;
    }

    [GeneratedRegex("Open ?MPI|OpenRTE|PRRTE", RegexOptions.IgnoreCase)]
    private static partial Regex OpenMpiName();

    [GeneratedRegex(@"\d+(\.\d+)+\w*")]
    private static partial Regex Number();
}
