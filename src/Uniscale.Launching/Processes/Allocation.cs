using Uniscale.Configuration;
using Uniscale.Launching.Slurm;

namespace Uniscale.Launching.Processes;

/// <summary>What a batch system has given to the shell that launches, as mpirun reads it from the environment.</summary>
internal static class Allocation
{
    /// <summary>Variables that name a file of hosts.</summary>
    private static readonly string[] Files =
    [
        "PBS_NODEFILE",
        "PE_HOSTFILE",
        "LSB_DJOB_HOSTFILE",
        "LOADL_HOSTFILE",
        "HYDRA_HOST_FILE",
        "OMPI_MCA_orte_default_hostfile",
    ];

    /// <summary>With one of these the user has said how processes come to other hosts.</summary>
    private static readonly string[] Starters = ["HYDRA_LAUNCHER", "HYDRA_BOOTSTRAP", "OMPI_MCA_plm", "PRTE_MCA_plm"];

    /// <summary>Set by batch systems and users who say where ranks go: what mpirun makes of them is not known beforehand.</summary>
    private static readonly string[] Signs = ["LSB_HOSTS", .. Files];

    /// <summary>Whether the environment says where ranks go.</summary>
    public static bool IsIn(IReadOnlyDictionary<string, string> environment) =>
        new SlurmVariables(environment).Job is not null || Signs.Any(environment.ContainsKey);

    /// <summary>
    /// Refuses what is left over from a job that is another or over: mpirun fails over it in words of its own, or starts all ranks on this
    /// machine.
    /// </summary>
    /// <param name="isOpenMpi">Whether mpirun is Open MPI's.</param>
    /// <param name="environment">All variables that this process has.</param>
    /// <exception cref="UserErrorException">The variables do not describe an allocation.</exception>
    public static void Check(bool isOpenMpi, IReadOnlyDictionary<string, string> environment)
    {
        foreach (string name in Files)
            if (environment.TryGetValue(name, out string? file) && !File.Exists(file))
                throw Stale($"{name} names {file}, which does not exist", name);
        var slurm = new SlurmVariables(environment);
        if (slurm.Job is null)
            return;
        if (slurm.Nodes is not { } hosts)
            throw Stale(
                $"{slurm.ShownJob} says that this shell is in an allocation of Slurm, but {SlurmVariables.NodesName} is not set",
                SlurmVariables.All
            );
        // Open MPI starts ranks of its own host by itself; every other mpirun of an allocation calls srun.
        if (
            !Starters.Any(environment.ContainsKey)
            && !(isOpenMpi && HostFile.IsSame(hosts, Environment.MachineName))
            && !IsOnPath("srun", environment)
        )
            throw Stale(
                $"{slurm.ShownJob} says that this shell is in an allocation of Slurm ({hosts}), but there is no srun on PATH to start ranks with",
                SlurmVariables.All
            );
    }

    internal static bool IsOnPath(string program, IReadOnlyDictionary<string, string> environment) =>
        environment.GetValueOrDefault("PATH", "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));

    private static UserErrorException Stale(string what, string variables) =>
        new($"{what}: launch from a shell of the allocation, or, where the variables are left over from another job, `unset {variables}`.");
}
