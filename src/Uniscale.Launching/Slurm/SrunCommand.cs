using System.Globalization;
using Uniscale.Launching.Processes;

namespace Uniscale.Launching.Slurm;

/// <summary>The srun that starts a job in an allocation; a pure function of the options and of the machine's facts.</summary>
/// <param name="Mpi">Slurm's plug-in by which the ranks' MPI meets; null: the user's choice, in SLURM_MPI_TYPE.</param>
/// <param name="CoresOfTask">Processors of a task; null: the job does not say.</param>
public sealed record SrunCommand(string? Mpi, int? CoresOfTask)
{
    /// <summary>
    /// The plug-in that belongs to the MPI of this machine, by its mpirun: Open MPI meets by PMIx, MPICH and its family by PMI-2.
    /// </summary>
    /// <param name="isOpenMpi">Whether that is Open MPI.</param>
    public static string MpiOf(bool isOpenMpi) => isOpenMpi ? "pmix" : "pmi2";

    /// <summary>Arguments of srun: its options, the guard of each rank, then the program and its arguments.</summary>
    public IReadOnlyList<string> Arguments(LaunchOptions options, IReadOnlyList<string> program)
    {
        var arguments = new List<string>
        {
            // Task i runs on the i-th line of SLURM_HOSTFILE, so that hosts which are left out stay so.
            string.Create(CultureInfo.InvariantCulture, $"--ntasks={options.Ranks}"),
            "--distribution=arbitrary",
            "--export=ALL",
            "--input=none",
            "--kill-on-bad-exit=1",
            "--wait=0",
        };
        if (options.OverlapsEarlierStart)
            arguments.Add("--overlap");
        if (Mpi is not null)
            arguments.Add($"--mpi={Mpi}");
        if (CoresOfTask is { } cores)
            arguments.Add(string.Create(CultureInfo.InvariantCulture, $"--cpus-per-task={cores}"));
        // Else as the cluster is set up.
        if (options.Binding != Binding.Auto)
            arguments.Add($"--cpu-bind={(options.Binding == Binding.Core ? "cores" : "none")}");
        if (options.TagOutput)
            arguments.Add("--label");
        arguments.AddRange(RankGuard.Command);
        arguments.AddRange(program);
        arguments.AddRange(options.Arguments);
        return arguments;
    }

    /// <summary>
    /// What srun's environment must say besides: it passes its own on to the tasks, so that no value stands on a command line. Null: not
    /// that variable.
    /// </summary>
    /// <param name="options">The job.</param>
    /// <param name="hosts">A file with the host of each task, one a line.</param>
    public IReadOnlyDictionary<string, string?> Environment(LaunchOptions options, string hosts)
    {
        var variables = new Dictionary<string, string?>
        {
            ["SLURM_HOSTFILE"] = hosts,
            // They are those of the batch script; what is wanted stands in the arguments.
            ["SLURM_NTASKS_PER_NODE"] = null,
            ["SLURM_DISTRIBUTION"] = null,
            ["SLURM_NTASKS"] = null,
            ["SLURM_NPROCS"] = null,
            ["SLURM_NNODES"] = null,
            ["SLURM_JOB_NUM_NODES"] = null,
        };
        if ((options.Threads > 0 ? options.Threads : CoresOfTask) is { } threads)
            variables["OMP_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        foreach (var (name, value) in options.Environment)
            variables[name] = value;
        return variables;
    }

    /// <summary>The host of each task: hosts in their order, each for all its slots.</summary>
    public static IReadOnlyList<string> HostsOfTasks(HostFile hosts, int ranks) =>
        [.. hosts.Lines.SelectMany(line => Enumerable.Repeat(line.Host, line.Slots ?? 1)).Take(ranks)];
}
