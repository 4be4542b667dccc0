using System.CommandLine;
using Uniscale.Cli.Planning;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Ranks;
using Uniscale.Launching.Rendezvous;
using Uniscale.Launching.Slurm;
using Uniscale.Launching.Supervision;
using Uniscale.Programs;
using Uniscale.Telemetry.Export;
using Uniscale.Training.Ownership;
using Uniscale.Training.Preflight;
using Uniscale.Training.Runs;

namespace Uniscale.Cli.Commands;

/// <summary><c>uniscale launch</c>: trains with ranks that are processes under mpirun, watched and started again when they fail.</summary>
internal static class LaunchCommand
{
    private static readonly Option<int> Ranks = new("-n", "--ranks")
    {
        Description = "Number of ranks; default: as many as the layout names.",
    };

    private static readonly Option<string?> Hosts = new("--hosts")
    {
        Description = "Host file of mpirun; default: this machine, or the batch system's allocation.",
        HelpName = "FILE",
    };

    private static readonly Option<bool> Resume = new("--resume") { Description = "Continue the run from its newest good checkpoint." };

    private static readonly Option<int> MaxRestarts = new("--max-restarts")
    {
        Description =
            "Start again from the newest checkpoint at most so often when a rank fails or the job hangs; the same fault three times at one step ends it.",
    };

    private static readonly Option<bool> Elastic = new("--elastic")
    {
        Description =
            "When a rank or host is lost for good, go on with fewer data-parallel replicas: the same global batch, the same order of samples.",
    };

    private static readonly Option<int> HostFaults = new("--host-faults")
    {
        Description = "Leave a host out on restart after so many faults (needs --hosts, or an allocation of Slurm).",
        DefaultValueFactory = _ => 2,
    };

    private static readonly Option<double> HangSeconds = new("--hang-seconds")
    {
        Description = "Shortest standstill that counts as a hang; slow steps raise it to five of the longest.",
        DefaultValueFactory = _ => new HangLimits().Minimum.TotalSeconds,
    };

    private static readonly Option<double> StartSeconds = new("--start-seconds")
    {
        Description = "Time until every rank has joined the job; those that have not are named.",
        DefaultValueFactory = _ => new HangLimits().Start.TotalSeconds,
    };

    private static readonly Option<string?> MpirunName = new("--mpirun")
    {
        Description =
            "The mpirun to use; default: srun in an allocation of Slurm, else the first on PATH, MPICH's (mpirun.mpich) where several lie beside each other.",
        HelpName = "NAME",
    };

    private static readonly Option<int> Grace = new("--grace")
    {
        Description = "Seconds that ranks have to save and end after Ctrl-C or SIGTERM.",
        DefaultValueFactory = _ => 120,
    };

    private static readonly Option<Binding> Bind = new("--bind") { Description = "Bind ranks to processors: auto, none, core." };

    private static readonly Option<bool> Tags = new("--tag-output")
    {
        Description = "Begin every line of output with the rank that wrote it.",
    };

    private static readonly Option<bool> Requeue = new("--requeue")
    {
        Description =
            "In a job of Slurm: queue it again where its time ends (SIGUSR1), others need its nodes (SIGTERM), or restarts here do not help.",
    };

    private static readonly Option<string?> Rendezvous = new("--rendezvous")
    {
        Description =
            "Where nodes meet whose processes others start, one a node: tcp://HOST:PORT of node 0, which launches. Default: MASTER_ADDR and MASTER_PORT, as a PyTorchJob sets them.",
        HelpName = "ADDRESS",
    };

    private static readonly Option<int?> Nodes = new("--nodes") { Description = "With --rendezvous: number of nodes; default: WORLD_SIZE." };

    private static readonly Option<int?> Node = new("--node")
    {
        Description = "With --rendezvous: number of this node, from 0; default: RANK.",
    };

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Print the mpirun command and start nothing." };

    public static Command Create()
    {
        var command = new Command(
            "launch",
            "Train a model with ranks as processes under mpirun, or under srun in an allocation of Slurm. Ctrl-C and SIGTERM save and stop; a second one ends at once."
        )
        {
            Ranks,
            Hosts,
            Resume,
            MaxRestarts,
            Elastic,
            HostFaults,
            HangSeconds,
            StartSeconds,
            Grace,
            MpirunName,
            Bind,
            Tags,
            Requeue,
            Rendezvous,
            Nodes,
            Node,
            DryRun,
            TrainCommand.StopAfter,
        };
        var configuration = new ConfigurationInput(command);
        command.SetAction(parsed => Launch(parsed, configuration));
        return command;
    }

    private static int Launch(ParseResult parsed, ConfigurationInput input)
    {
        string? hosts = parsed.GetValue(Hosts);
        var place =
            hosts is null && !MpiLauncher.IsInAllocation
                ? RendezvousPlace.Of(parsed.GetValue(Rendezvous), parsed.GetValue(Node), parsed.GetValue(Nodes))
                : null;
        if (place is null && parsed.GetValue(Rendezvous) is not null)
            throw new UserErrorException("--rendezvous finds the hosts of the job itself: leave --hosts out, and give it outside of an allocation.");
        return place is null ? Launch(parsed, input, hosts, rendezvous: null) : Meet(parsed, input, place);
    }

    /// <summary>Node 0 launches on all nodes that come; the others do as it says.</summary>
    private static int Meet(ParseResult parsed, ConfigurationInput input, RendezvousPlace place)
    {
        var error = parsed.InvocationConfiguration.Error;
        var limit = TimeSpan.FromSeconds(parsed.GetValue(StartSeconds));
        if (place.Node > 0)
            return new RendezvousNode(place, BuildIdentity.Own, error.WriteLine).Run(limit);
        using var rendezvous = new RendezvousServer(place, BuildIdentity.Own);
        int code = 1;
        try
        {
            var configuration = input.Load(parsed).Value;
            TrainCommand.RefuseRounds(configuration);
            int ranks = RanksOf(parsed, configuration.Parallel, allocation: null);
            string hosts = rendezvous.WaitForAll(limit, slots: (ranks + place.Nodes - 1) / place.Nodes);
            error.WriteLine($"{place.Nodes} nodes have met at tcp://{place.Host}:{place.Port}.");
            rendezvous.BecomeRemoteShell(MpiLauncher.ThisExecutable());
            return code = Launch(parsed, input, hosts, rendezvous);
        }
        catch (UserErrorException)
        {
            code = 2;
            throw;
        }
        finally
        {
            rendezvous.End(code);
        }
    }

    private static int RanksOf(ParseResult parsed, ParallelSection parallel, SlurmAllocation? allocation)
    {
        int ranks = parsed.GetValue(Ranks);
        if (ranks == 0)
            ranks = parallel.Data == 0 && allocation is not null ? allocation.Slots : parallel.ReplicaRanks * Math.Max(1, parallel.Data);
        return ranks >= 1 ? ranks : throw new UserErrorException($"-n {ranks} is not a number of ranks: give 1 or more.");
    }

    private static int Launch(ParseResult parsed, ConfigurationInput input, string? hosts, RendezvousServer? rendezvous)
    {
        var resolved = input.Load(parsed);
        TrainCommand.RefuseRounds(resolved.Value);
        string? starterName = parsed.GetValue(MpirunName);
        var allocation = AllocationFor(starterName, hosts);
        if (allocation is not null)
            starterName ??= SlurmAllocation.Starter;
        int ranks = RanksOf(parsed, resolved.Value.Parallel, allocation);
        LayoutGate.CheckWorld(resolved.Value, ranks);
        allocation?.CheckRoom(ranks);
        // Ranks of several hosts look themselves, each at its own.
        if (hosts is null && !MpiLauncher.IsInAllocation)
            MemoryForecast.Of(resolved.Value, ranks, threads: false)?.Check(0, ranks);

        var folder = new RunFolder(resolved.Value);
        string launchFolder = Path.Combine(folder.FullPath, RankLauncher.FolderName);
        if (parsed.GetValue(HostFaults) is < 1 and var faults)
            throw new UserErrorException($"--host-faults {faults} is not a number of faults: give 1 or more.");
        var shape = new JobShape(
            resolved.Value,
            ranks,
            parsed.GetValue(Elastic),
            hosts,
            parsed.GetValue(HostFaults),
            launchFolder,
            allocation?.Hosts
        );

        LaunchOptions Job(int attempt) =>
            new()
            {
                Ranks = shape.Ranks,
                Arguments = InnerCommand(parsed, input, resume: attempt > 1 || parsed.GetValue(Resume), shape.Replicas),
                HostFile = allocation is null ? shape.HostFile : null,
                Allocation = allocation is null ? null : shape.Hosts,
                OverlapsEarlierStart = shape.HasGoneHosts,
                Forwarded = [.. resolved.References.Values.SelectMany(reference => reference.Variables).Distinct()],
                Threads = resolved.Value.Train.Threads,
                Binding = parsed.GetValue(Bind),
                Mpirun = starterName,
                TagOutput = parsed.GetValue(Tags),
                Environment = Variables(refusesSlow: attempt <= parsed.GetValue(MaxRestarts) && shape.CanSpareAHost),
                Grace = TimeSpan.FromSeconds(parsed.GetValue(Grace)),
            };

        if (parsed.GetValue(DryRun))
        {
            parsed.InvocationConfiguration.Output.WriteLine(string.Join(' ', MpiLauncher.CommandLine(Job(1))));
            return 0;
        }
        MpiLauncher.CheckAllocation(starterName);
        var mpirun = Mpirun.Find(starterName);
        folder.Prepare(parsed.GetValue(Resume));
        string run = folder.FullPath;
        var error = parsed.InvocationConfiguration.Error;
        using var owned = RunOwnership.ToLaunch(run, error.WriteLine);
        var notify = resolved.Value.Telemetry.Notify;
        using var notifier = Notifier.IsWanted(notify) ? new Notifier(notify, resolved.Value.Name, error.WriteLine) : null;
        var supervision = Supervision(parsed, shape, launchFolder, notifier) with
        {
            Lost = allocation is null
                ? null
                : () => SlurmJob.LostNodes([.. SrunCommand.HostsOfTasks(shape.Hosts!, shape.Ranks).Distinct()]),
        };
        error.WriteLine($"Starting {ranks} {(ranks == 1 ? "rank" : "ranks")} with {mpirun.Command} ({mpirun.Version}).");
        var supervisor = new Supervisor(supervision, Job, error.WriteLine);
        if (rendezvous is not null)
            rendezvous.Asked += supervisor.Stop;
        var result = supervisor.Run();
        if (result.First is { } first)
            error.WriteLine(
                $"uniscale: {(first.IsUserError || first.Kind == nameof(TrainingStoppedException) ? first.Message : $"{first}. See: uniscale why {run}")}"
            );
        if (result.First is { IsUserError: true })
            folder.ForgetIfFree();
        return result.Requeue is { } reason && parsed.GetValue(Requeue)
            ? QueueAgain(supervisor, reason, result.ExitCode, error.WriteLine)
            : result.ExitCode;
    }

    private static SupervisionOptions Supervision(ParseResult parsed, JobShape shape, string folder, Notifier? notifier) =>
        new()
        {
            Told = entry =>
            {
                if (entry.Kind is JobEventKind.Fault or JobEventKind.GivenUp)
                    notifier?.Tell("hang", entry.Step, entry.Message);
            },
            Folder = folder,
            Shape = shape,
            MaxRestarts = parsed.GetValue(MaxRestarts),
            Hang = new HangLimits
            {
                Minimum = TimeSpan.FromSeconds(parsed.GetValue(HangSeconds)),
                Start = TimeSpan.FromSeconds(parsed.GetValue(StartSeconds)),
            },
        };

    /// <summary>
    /// The allocation of Slurm in which srun is to start the ranks; null: an mpirun does, here or on the hosts of a file.
    /// </summary>
    private static SlurmAllocation? AllocationFor(string? starter, string? hosts)
    {
        if (hosts is not null || (starter is not null && Path.GetFileName(starter) != SlurmAllocation.Starter))
            return null;
        return SlurmAllocation.Current
            ?? (
                starter is null
                    ? null
                    : throw new UserErrorException(
                        $"--mpirun {starter} starts ranks in an allocation of Slurm, and this shell is in none: launch from sbatch or salloc, or name an mpirun."
                    )
            );
    }

    private static int QueueAgain(Supervisor supervisor, string reason, int exitCode, Action<string> say)
    {
        // Slurm has queued or cancelled a job itself that is not running any more.
        if (SlurmJob.Current is not { IsRunning: true } job)
            return exitCode;
        if (supervisor.TellRequeue(reason) is { } refusal)
        {
            say($"Job {job.Id} is not queued again: {refusal}.");
            return exitCode;
        }
        say($"Job {job.Id} goes back into the queue: {reason}.");
        if (job.Requeue())
            return 0;
        say($"uniscale: scontrol requeue {job.Id} failed: queue the job again by hand; --resume goes on from the newest checkpoint.");
        return 1;
    }

    /// <summary>Variables of the ranks.</summary>
    private static Dictionary<string, string> Variables(bool refusesSlow)
    {
        var variables = new Dictionary<string, string>();
        // mpirun gives its ranks a terminal even where there is none.
        if (Console.IsOutputRedirected)
            variables["TERM"] = "dumb";
        if (refusesSlow)
            variables[NodePreflight.RefusesSlowVariable] = "1";
        return variables;
    }

    private static List<string> InnerCommand(ParseResult parsed, ConfigurationInput input, bool resume, int? replicas)
    {
        List<string> arguments = ["train", input.File(parsed)!];
        foreach (string value in input.Overrides(parsed))
            arguments.AddRange(["--set", value]);
        if (replicas is { } fewer)
            arguments.AddRange(["--set", $"parallel.data={fewer}"]);
        if (parsed.GetValue(TrainCommand.StopAfter) is { } step)
            arguments.AddRange(["--stop-after", $"{step}"]);
        if (resume)
            arguments.Add("--resume");
        return arguments;
    }
}
