using System.Runtime.InteropServices;
using Uniscale.Configuration;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Slurm;
using Uniscale.Launching.Supervision;

namespace Uniscale.Launching.Processes;

/// <summary>Starts jobs of processes under mpirun.</summary>
public static class MpiLauncher
{
    /// <summary>Starts a job, passes SIGINT and SIGTERM on to it, and waits for its end.</summary>
    public static LaunchResult Run(LaunchOptions options)
    {
        using var job = Start(options);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        return job.Wait();

        void OnSignal(PosixSignalContext context)
        {
            context.Cancel = true;
            job.Stop();
        }
    }

    /// <summary>Starts a job. A missing mpirun or host file is a <see cref="UserErrorException"/>.</summary>
    public static LaunchedJob Start(LaunchOptions options)
    {
        if (options.Ranks < 1)
            throw new UserErrorException($"A job needs at least one rank, not {options.Ranks}: give -n a positive number.");
        if (options.HostFile is { } hosts && !File.Exists(hosts))
            throw new UserErrorException($"The host file {hosts} does not exist: name one with --hosts.");
        var folder = new LaunchFolder(options.Folder ?? Directory.CreateTempSubdirectory("uniscale-launch-").FullName);
        Directory.CreateDirectory(folder.FullPath);
        folder.Clear();
        var told = options with
        {
            Environment = new Dictionary<string, string>(options.Environment) { [LaunchFolder.Variable] = folder.FullPath },
        };
        if (MayBeOnSeveralHosts(options))
            told = told with
            {
                Environment = new Dictionary<string, string>(told.Environment) { [NodeSigns.Variable] = NodeSigns.NewFolder() },
            };
        var mpirun = Mpirun.Find(options.Mpirun);
        if (mpirun.IsSrun && options.Allocation is null)
            throw new UserErrorException(
                $"{mpirun.Command} starts ranks in an allocation of Slurm, and this shell is in none: launch from sbatch or salloc, or name an mpirun."
            );
        if (options.HostFile is { } file && !mpirun.IsSrun)
        {
            told = told with { HostFile = Path.Combine(folder.FullPath, "hosts") };
            HostFile.Read(file).WriteFor(mpirun.IsOpenMpi, told.HostFile);
        }
        return new LaunchedJob(
            told,
            folder,
            mpirun,
            Arguments(told, mpirun),
            EnvironmentOf(told, mpirun, folder.FullPath),
            ownsFolder: options.Folder is null
        );
    }

    private static bool MayBeOnSeveralHosts(LaunchOptions options) =>
        options.HostFile is { } hosts ? !OneHost.AreAll(HostFile.Read(hosts).Names) : IsInAllocation;

    /// <summary>What the environment of the starter must have besides this process's own.</summary>
    private static IReadOnlyDictionary<string, string?> EnvironmentOf(LaunchOptions options, Mpirun starter, string folder)
    {
        if (!starter.IsSrun)
            return new Dictionary<string, string?>();
        string hosts = Path.Combine(folder, LaunchFolder.TasksFileName);
        File.WriteAllLines(hosts, SrunCommand.HostsOfTasks(options.Allocation!, options.Ranks));
        return Srun().Environment(options, hosts);
    }

    /// <summary>srun as the environment and the MPI of this machine want it.</summary>
    private static SrunCommand Srun()
    {
        bool isChosen = Environment.GetEnvironmentVariable("SLURM_MPI_TYPE") is { Length: > 0 };
        return new(isChosen ? null : SrunCommand.MpiOf(Mpirun.IsDefaultOpenMpi), SlurmAllocation.Current?.CoresOfTask);
    }

    /// <summary>The whole command that <see cref="Start"/> would run, for people to read.</summary>
    public static IReadOnlyList<string> CommandLine(LaunchOptions options)
    {
        var mpirun = Mpirun.Find(options.Mpirun);
        return [mpirun.Command, .. Arguments(options, mpirun)];
    }

    /// <summary>Refuses variables of a batch system with which no mpirun can work; to be asked before anything is made.</summary>
    /// <exception cref="UserErrorException">They are left over from a job that is another or over.</exception>
    /// <param name="starter">What starts the ranks, as the user has named it; null: the default.</param>
    public static void CheckAllocation(string? starter) => Allocation.Check(Mpirun.Find(starter).IsOpenMpi, RankEnvironment.AllVariables());

    /// <summary>Whether the environment says where ranks go, which then need not all be on this machine.</summary>
    public static bool IsInAllocation => Allocation.IsIn(RankEnvironment.AllVariables());

    private static IReadOnlyList<string> Arguments(LaunchOptions options, Mpirun mpirun)
    {
        var environment = RankEnvironment.AllVariables();
        if (mpirun.IsSrun)
            return Srun().Arguments(options, options.Program ?? ThisExecutable());
        options = options with
        {
            IsOneHost = OneHost.Holds(
                options.HostFile is { } hosts && File.Exists(hosts) ? HostFile.Read(hosts).Names : null,
                options.Ranks,
                environment
            ),
        };
        return new MpirunCommand(mpirun.IsOpenMpi, Environment.IsPrivilegedProcess, Environment.ProcessorCount).Arguments(
            options,
            options.Program ?? ThisExecutable(),
            environment
        );
    }

    /// <summary>This executable, as mpirun must call it.</summary>
    public static IReadOnlyList<string> ThisExecutable()
    {
        string path = Environment.ProcessPath ?? throw new InvalidOperationException("this process has no executable");
        return Path.GetFileNameWithoutExtension(path) == "dotnet" ? [path, Environment.GetCommandLineArgs()[0]] : [path];
    }
}
